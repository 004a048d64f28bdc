"""A CSV file on the page: scored with progress, past bad rows, through a busy server, and saved; in a real browser."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bertline.service import ServeSettings
from bertline.testing.words import Gated, WordCounter
from tests.service.browsing import Visit, held
from tests.service.live import live

pytestmark = pytest.mark.browser

Table = list[list[str]]
SCORE = """async ([texts, answers, limits]) => {
  const { Refusal } = await import("/page/api.js");
  const { score } = await import("/page/scoring.js");
  const rows = texts.map((text, place) => ({ line: place + 2, text, error: "" }));
  const asked = [], waits = [];
  const send = async (sent) => {
    asked.push(sent.length);
    const answer = answers.shift() ?? {};
    if (answer.status !== undefined) throw new Refusal("No", answer.message ?? "No.", answer);
    const one = { label: "good", probabilities: [{ label: "good", probability: 0.5 }], cut_tokens: 0 };
    return { predictions: sent.map(() => one), version: "1", took_ms: { total: answer.ms ?? 1000 } };
  };
  const sleep = async (ms) => { waits.push(ms / 1000); };
  let thrown = null;
  const stop = new AbortController();
  try {
    await score(rows, { send, limits, signal: stop.signal, onProgress: () => {}, sleep });
  } catch (error) {
    thrown = error.title;
  }
  return { rows: rows.map(({ label, error }) => error || label || null), asked, waits, thrown };
}"""
LIMITS = {"max_batch_texts": 128, "max_chars": 100, "max_body_bytes": 1_000_000}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": WordCounter(), "tags": WordCounter(("a", "b", "c"), several=True, name="tags")}
    with live(models, ServeSettings(max_batch_texts=32, max_chars=60, drain_s=0)) as one:
        yield one


def table_of(rows: Table) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def give(page: Page, content: bytes, name: str = "rows.csv") -> None:
    """Choose the file."""
    expect(page.locator("#model-facts li").first).to_be_visible()
    page.get_by_role("radio", name="CSV file").check()
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
    expect(page.locator("#file-name")).to_have_text(name)


def start(page: Page) -> None:
    page.locator("#submit").click()


def saved(page: Page) -> tuple[str, Table]:
    """The file that is downloaded: its name and its records."""
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download CSV").click()
    text = coming.value.path().read_bytes().decode()
    return coming.value.suggested_filename, list(csv.reader(io.StringIO(text, newline="")))


def scoring(page: Page) -> Locator:
    return page.locator("#scoring")


def finished(page: Page, state: str = "done") -> None:
    expect(scoring(page)).to_have_attribute("data-state", state)


def test_a_file_is_scored_and_saved_with_its_bad_rows_in_their_place(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    rows = [["id", "review"], *[[str(n), "a good film" if n % 3 else 'bad,\n"bad"'] for n in range(70)]]
    rows[5][1], rows[20][1], rows[40][1], rows[60] = "", "x" * 61, "fail", ["59", "one", "two"]
    give(page, table_of(rows))
    expect(page.locator("#file-facts")).to_have_text("70 rows, 2 columns, UTF-8")
    expect(page.get_by_label("Column of the texts")).to_have_value("review")
    expect(page.locator("#preview li")).to_have_count(3)
    expect(page.locator("#submit")).to_have_text("Score 70 rows")
    start(page)
    finished(page)
    expect(page.locator("#scored")).to_have_text("70 rows done")
    expect(page.locator("#problems-title")).to_have_text("4 rows with a problem")
    name, back = saved(page)
    assert name == "rows-scored.csv"
    assert back[0] == ["id", "review", "label", "probability", "error"]
    assert [row[0] for row in back[1:]] == [str(n) for n in range(70)]
    assert [row[1] for row in back[1:60]] == [row[1] for row in rows[1:60]]
    errors = {number: row[4] for number, row in enumerate(back) if row[4] and number}
    assert list(errors) == [5, 20, 40, 60]
    assert errors[5] == "The text is empty."
    assert errors[20] == "The text has more than 60 characters, the limit."
    assert errors[40].startswith("The model cannot compute the text: an index is out of bounds")
    assert errors[60] == "The line has 3 fields and the header 2: quote the texts that contain the delimiter."
    scored = [row for number, row in enumerate(back[1:], 1) if number not in errors]
    assert {(row[1] == "a good film", row[2]) for row in scored} == {(True, "positive"), (False, "negative")}
    assert all(0.5 <= float(row[3]) <= 1 for row in scored)
    listed = page.locator("#problem-list li").all_inner_texts()
    lines = [sum(1 + row[1].count("\n") for row in rows[:number]) + 1 for number in errors]
    assert sorted(int(one.split()[1]) for one in listed) == lines
    # A refused request is said in the console by the browser itself.
    assert all("500 (Internal Server Error)" in one for one in watch.complaints)


def test_the_answers_equal_those_of_single_texts(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    texts = ["good", "bad", "good good bad", "word " * 12, "good " * 10 + "x"]
    give(page, table_of([["text"], *[[one] for one in texts]]))
    start(page)
    finished(page)
    _, back = saved(page)
    alone = [httpx.post(f"{url}/v1/predict", json={"text": one, "model": "reviews"}).json() for one in texts]
    best = [one["predictions"][0]["probabilities"][0] for one in alone]
    assert [row[1] for row in back[1:]] == [one["label"] for one in best]
    assert [float(row[2]) for row in back[1:]] == pytest.approx([one["probability"] for one in best], rel=1e-6)


def test_a_row_with_several_labels_has_them_all(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    expect(page.locator("#model-choice")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("tags")
    give(page, table_of([["text"], ["good good good"], ["neither"]]))
    start(page)
    finished(page)
    _, back = saved(page)
    assert back[1][1:] == ["b", back[1][2], ""]
    assert float(back[1][2]) > 0.5
    assert back[2][1:] == ["", "", ""]


def test_a_file_is_dropped_anywhere_and_the_column_chosen(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    expect(page.locator("#model-facts li").first).to_be_visible()
    data = page.evaluate_handle(
        """(content) => {
          const data = new DataTransfer();
          data.items.add(new File([content], "dropped.csv"));
          return data;
        }""",
        "text,said\nbad,good\nbad,good\n",
    )
    page.dispatch_event("h1", "dragenter", {"dataTransfer": data})
    expect(page.locator("html.dropping")).to_be_visible()
    page.dispatch_event("h1", "drop", {"dataTransfer": data})
    expect(page.locator("html.dropping")).to_have_count(0)
    expect(page.get_by_role("radio", name="CSV file")).to_be_checked()
    expect(page.locator("#preview li")).to_have_text(["bad", "bad"])
    page.get_by_label("Column of the texts").select_option("said")
    expect(page.locator("#preview li")).to_have_text(["good", "good"])
    start(page)
    finished(page)
    name, back = saved(page)
    assert (name, [row[2] for row in back]) == ("dropped-scored.csv", ["label", "positive", "positive"])
    assert watch.complaints == []


def test_a_file_goes_from_choice_to_download_by_keyboard(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    expect(page.locator("#model-facts li").first).to_be_visible()
    rows = {"name": "rows.csv", "mimeType": "text/csv", "buffer": b"text\ngood\n"}
    # Listened for from the start: it takes the browser a moment to hand its dialog over.
    page.on("filechooser", lambda one: one.set_files(rows))
    page.get_by_role("radio", name="One text").focus()
    page.keyboard.press("ArrowLeft")  # around, to the last one
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choose a file")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#submit")).to_have_text("Score 1 row")
    for _ in ("column", "truncation", "submit"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    finished(page)
    expect(page.get_by_role("button", name="Download CSV")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with page.expect_download():
        page.keyboard.press("Enter")


def test_without_a_file_or_with_a_broken_one_it_says_so(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    expect(page.locator("#model-facts li").first).to_be_visible()
    page.get_by_role("radio", name="CSV file").check()
    start(page)
    problem = page.locator("#file-error")
    expect(problem).to_have_text("Choose a CSV file first, or drop one on this page.")
    expect(page.get_by_role("button", name="Choose a file")).to_be_focused()
    give(page, b'text\n"never', "broken.csv")
    expect(problem).to_have_text("The quote that opens in line 2 is never closed.")
    expect(page.locator("#submit")).to_have_text("Score")
    give(page, b"text\ngood\n", "whole.csv")
    expect(problem).to_be_hidden()
    assert watch.complaints == []


def test_markup_in_a_file_stays_text(visit: Visit, url: str) -> None:
    markup = "<img src=x onerror=alert(1)>"
    page, watch = visit(url)
    give(page, table_of([[f"text {markup}", "n"], [markup, "1"], ["", markup]]), f"{markup.replace('/', '')}.csv")
    start(page)
    finished(page)
    assert page.locator("main img").count() == 0
    assert saved(page)[1][1][0] == markup
    assert watch.complaints == []


def test_a_cancelled_run_saves_its_state_and_resumes(visit: Visit) -> None:
    model = Gated()
    with live({"slow": model}) as url, held(model):
        page, _ = visit(url)
        give(page, table_of([["text"], *[["good"]] * 100]))
        seen: list[int] = []

        def sent(route: Route) -> None:
            seen.append(len(json.loads(route.request.post_data or "")["texts"]))
            if len(seen) == 2:
                model.gate.clear()
            route.continue_()

        page.route("**/v1/predict", sent)
        start(page)
        expect(page.locator("#scored")).to_have_text("16 of 100 rows")
        expect(page.locator("#progress")).to_have_js_property("value", 0.16)
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        page.get_by_role("button", name="Cancel").click()
        finished(page, "cancelled")
        expect(page.locator("#pace")).to_have_text("Stopped: 84 rows not scored.")
        _, back = saved(page)
        assert [row[1] for row in back[1:]] == ["positive"] * 16 + [""] * 84
        assert {row[3] for row in back[17:]} == {"Not scored."}
        model.gate.set()
        page.get_by_role("button", name="Resume").click()
        finished(page)
        assert {tuple(row[1:2] + row[3:]) for row in saved(page)[1][1:]} == {("positive", "")}
        assert sum(seen) == 100 + seen[1]  # no text was asked twice but those of the request that was cancelled


def test_a_busy_server_is_waited_for_and_nothing_is_lost(visit: Visit) -> None:
    model = Gated()
    with live({"slow": model}, ServeSettings(max_wait_ms=0.001, lanes=1, drain_s=0)) as url, held(model):
        page, _ = visit(url)
        give(page, table_of([["text"], *[["good"]] * 20]))
        refused: list[Any] = []
        page.on("response", lambda one: refused.append(one) if one.status == 429 else None)
        model.gate.clear()
        model.entered.clear()
        with ThreadPoolExecutor(2) as others:
            others.submit(httpx.post, f"{url}/v1/predict", json={"text": "good"}, timeout=60)
            assert model.entered.wait(timeout=30)  # it is computed, and the next one waits
            others.submit(httpx.post, f"{url}/v1/predict", json={"text": "good"}, timeout=60)
            page.wait_for_timeout(300)
            start(page)
            expect(page.locator("#pace")).to_have_text("The server is busy: retrying in 1 second.")
            expect(page.locator("#spoken")).to_have_text("The server is busy: retrying in 1 second.")
            model.gate.set()
        finished(page)
        assert len(refused) >= 1
        assert {int(one.headers["retry-after"]) for one in refused} == {1}
        assert [row[1] for row in saved(page)[1]] == ["label"] + ["positive"] * 20


def test_it_waits_for_a_lost_connection_to_return(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    give(page, table_of([["text"], *[["good"]] * 20]))
    page.context.set_offline(True)
    start(page)
    expect(page.locator("#pace")).to_have_text("No connection: retrying in 2 seconds.")
    page.context.set_offline(False)
    finished(page)
    expect(page.locator("#problems")).to_be_hidden()


def test_a_permanent_failure_stops_it_with_a_message(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    give(page, b"text\ngood\n")
    body = '{"error": {"code": "unknown_model", "message": "There is no model of that name.", "field": "model"}}'
    page.route("**/v1/predict", lambda route: route.fulfill(status=404, body=body))
    start(page)
    finished(page, "error")
    expect(page.locator("#stopped")).to_contain_text("There is no model of that name.")
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    page.unroute("**/v1/predict")
    page.get_by_role("button", name="Resume").click()
    finished(page)


def scored(page: Page, texts: list[str], answers: list[dict[str, Any]], **limits: int) -> Any:
    return page.evaluate(SCORE, [texts, answers, {**LIMITS, **limits}])


def test_batches_grow_shrink_and_keep_the_limits(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    texts = ["good"] * 300
    quick, slow = {"ms": 10}, {"ms": 3000}
    assert scored(page, texts, [quick] * 9, max_batch_texts=64)["asked"] == [16, 32, 64, 64, 64, 60]
    assert scored(page, texts[:80], [quick, slow])["asked"][:4] == [16, 32, 16, 16]
    assert scored(page, ["x" * 90] * 6, [], max_body_bytes=1600)["asked"] == [2, 2, 2]
    refused = scored(page, texts[:4], [{"status": 413}, {}, {"status": 504}, {"status": 422}])
    assert refused["asked"] == [4, 2, 2, 1, 1]
    assert refused["rows"] == ["good", "good", "No.", "good"]


def test_failures_are_waited_for_longer_and_longer_and_then_reported(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    silent = scored(page, ["good"], [{"status": 0}] * 9)
    assert (silent["waits"], silent["rows"], silent["thrown"]) == ([2, 4, 8, 16, 30], [None], "No")
    assert scored(page, ["good"], [{"status": 500}] * 3)["waits"] == [2, 4, 8]
    busy = scored(page, ["good"], [{"status": 429, "retry_s": 7}] * 20)
    assert (busy["waits"], busy["rows"], busy["thrown"]) == ([7] * 20, ["good"], None)
    restarting = scored(page, ["good"], [{"status": 503, "retry_s": 1}, {"status": 503}])
    assert (restarting["waits"], restarting["rows"]) == ([1, 4], ["good"])
    gone = scored(page, ["good"], [{"status": 404, "field": "model"}])
    assert (gone["waits"], gone["thrown"]) == ([], "No")


def test_a_bad_row_does_not_fail_the_others(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    about = {"status": 422, "field": "texts[2]", "message": "texts[2] is empty: send at least one word."}
    assert scored(page, ["good"] * 4, [about])["rows"] == [
        "good", "good", "The text is empty: send at least one word.", "good",
    ]  # fmt: skip
    alone = scored(page, ["good", "  ", "x" * 101, "🙂" * 100], [])
    assert alone["asked"] == [2]
    assert alone["rows"] == ["good", "The text is empty.", "The text has more than 100 characters, the limit.", "good"]


@pytest.mark.drill
def test_a_large_file_does_not_freeze_the_page(visit: Visit) -> None:
    with live({"reviews": WordCounter()}) as url:
        page, _ = visit(url)
        page.evaluate(
            """() => {
              window.longest_ms = 0;
              window.began_ms = performance.now();
              let last_ms = began_ms;
              setInterval(() => {
                window.longest_ms = Math.max(window.longest_ms, performance.now() - last_ms);
                last_ms = performance.now();
              }, 5);
            }"""
        )
        rows = [["id", "text"], *[[str(n), f'a "good" film,\nnumber {n}'] for n in range(20_000)]]
        give(page, table_of(rows))
        expect(page.locator("#file-facts")).to_have_text("20,000 rows, 2 columns, UTF-8")
        start(page)
        expect(scoring(page)).to_have_attribute("data-state", "done", timeout=120_000)
        _, back = saved(page)
        assert [row[:2] for row in back] == rows
        assert {row[2] for row in back[1:]} == {"positive"}
        longest_ms, all_ms = page.evaluate("[longest_ms, performance.now() - began_ms]")
        assert longest_ms < all_ms / 4, (longest_ms, all_ms)  # measured a sixtieth; both grow on a busy machine
