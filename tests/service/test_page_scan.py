"""Scan on the page, in a real browser: from texts to what broke, and to a file for the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from bertline.lifecycle.gate.behaviour import passes, read_cases
from bertline.testing.words import WordCounter, WordRanker, WordTagger
from tests.service.accessible import LOOKS, violations
from tests.service.browsing import Visit, no_sideways_scrolling
from tests.service.live import live, warm
from tests.service.probed import Brittle

pytestmark = pytest.mark.browser

TEXTS = ["It is not far from London.", "🙂 <b>I</b> don't know anything, and Amanda does", "A wonderful film", "so so?"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": Brittle(max_tokens=64), "tagger": WordTagger(), "ranker": WordRanker(max_tokens=32)}
    models["embedder"] = WordCounter((), name="embedder", task={"task": "embed"})
    with live(models) as one:
        yield warm(one)


def view(page: Page) -> Any:
    return page.locator("#view-scan")


def answer(page: Page) -> Any:
    return page.locator("#view-scan .answer")


def scanned(visit: Visit, url: str, texts: list[str] = TEXTS, **context: Any) -> Page:
    page, watch = visit(url, "/#scan", **context)
    view(page).get_by_label("Texts, one per line").fill("\n".join(texts))
    view(page).get_by_role("button", name=f"Scan {len(texts)} texts").click()
    expect(answer(page)).to_have_attribute("data-state", "done")
    assert watch.complaints == []
    return page


def of_the_server(url: str) -> dict[str, Any]:
    body = {"model": "reviews", "texts": TEXTS, "passed": True}
    found: dict[str, Any] = httpx.post(f"{url}/v1/scan", json=body, timeout=60).json()
    return found


def test_from_texts_to_what_broke_and_to_a_file_for_the_gate(visit: Visit, url: str, tmp_path: Path) -> None:
    page, found = scanned(visit, url), of_the_server(url)
    tried = {one["name"]: one for one in found["probes"] if one["texts"]}
    lines = answer(page).locator(".probes > li")
    expect(lines).to_have_count(len(tried))
    rates = []
    for line in lines.all():
        one = tried[str(line.locator("strong").first.text_content())]
        expect(line.locator(".value")).to_have_text(f"{one['failed']} of {one['texts']}")
        rates.append(one["rate"]["value"])
    assert rates == sorted(rates, reverse=True)
    line = lines.filter(has=page.get_by_text("ain't", exact=True))
    line.locator("summary").click()
    expect(line.locator("del")).to_have_text("is not")
    expect(line.locator("ins")).to_have_text("ain't")
    before = tried["ain't"]["broken"][0]["before"]
    expect(line.locator(".side-head").first).to_contain_text(f"{before['answer']} {100 * before['probability']:.1f}")
    expect(answer(page).get_by_text("Nothing in these texts to change for: ")).to_contain_text("numbers")
    expect(view(page).locator("[role=status]")).to_contain_text(f"Done. {len(found['cases'])} of ")
    line.get_by_role("button", name="Why?").click()
    expect(page.locator("#view-explain .shares")).to_have_text("It ain't far from London.")
    page.go_back()
    predictor = Brittle(max_tokens=64).model()._predictor
    for choice, passed in (("those that broke", []), ("all, those that passed too", found["passed"])):
        answer(page).get_by_label("Save", exact=True).select_option(label=choice)
        with page.expect_download() as caught:
            answer(page).get_by_role("button", name="Download ").click()
        assert caught.value.suggested_filename == "reviews-cases.jsonl"
        path = tmp_path / "cases.jsonl"
        caught.value.save_as(path)
        cases = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
        assert sorted(map(str, cases)) == sorted(map(str, [*found["cases"], *passed]))
        judged = passes(read_cases(str(path), predictor.spec), predictor)
        assert judged == [False] * len(found["cases"]) + [True] * len(passed)


def test_kinds_of_changes_are_chosen_by_keyboard(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#scan")
    texts = view(page).get_by_label("Texts, one per line")
    texts.fill(TEXTS[0])
    groups = ["Typos", "Writing", "Names and numbers", "Dialects", "Additions", "Opinion"]
    for name in groups:
        box = view(page).get_by_role("checkbox", name=name)
        box.focus()
        if name != "Dialects":
            page.keyboard.press("Space")
    texts.press("Control+Enter")
    expect(answer(page)).to_have_attribute("data-state", "done")
    expect(answer(page).locator(".probes summary strong")).to_have_text(["ain't"])
    view(page).get_by_role("checkbox", name="Dialects").uncheck()
    texts.press("Control+Enter")
    expect(view(page).get_by_role("alert")).to_have_text("Choose at least one kind of change.")
    texts.fill(" ")
    view(page).get_by_role("checkbox", name="Dialects").check()
    texts.press("Control+Enter")
    expect(view(page).get_by_role("alert")).to_have_text("There is no text yet: type one.")


def test_texts_of_a_file_and_texts_that_were_kept(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#scan")
    view(page).get_by_role("radio", name="File").check()
    chooser = view(page).locator("input[type=file]")
    rows = "".join(f'{number},"text number {number}, and it is not far"\n' for number in range(300))
    chooser.set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": f"id,text\n{rows}".encode()})
    expect(view(page).get_by_label("Column of the texts")).to_have_value("text")
    for name in ("Typos", "Names and numbers", "Writing", "Additions", "Opinion"):
        view(page).get_by_role("checkbox", name=name).uncheck()
    view(page).get_by_role("button", name="Scan 100 texts").click()
    expect(answer(page)).to_have_attribute("data-state", "done")
    expect(answer(page)).to_contain_text("100 of 300 texts, spread evenly.")
    expect(answer(page).locator(".value")).to_have_text("100 of 100")
    line = answer(page).locator(".probes > li")
    line.locator("summary").click()
    expect(line.locator(".broken > li:visible")).to_have_count(5)
    line.get_by_role("button", name="Show all 100 texts").click()
    expect(line.locator(".broken > li:visible")).to_have_count(100)
    chooser.set_input_files({"name": "b.txt", "mimeType": "text/plain", "buffer": b"\n"})
    expect(view(page).get_by_role("alert").filter(has_text="There is no text in the file.")).to_be_visible()
    view(page).get_by_role("radio", name="Kept texts").check()
    view(page).get_by_role("button", name="Scan", exact=True).click()
    expect(answer(page).get_by_role("alert")).to_contain_text(
        "This server keeps no texts. Start it with --predictions-"
    )


def test_a_ranker_has_a_query_and_an_embedder_no_scan(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#scan")
    page.get_by_label("Model", exact=True).select_option("ranker")
    expect(view(page).get_by_role("checkbox")).to_have_count(5)
    view(page).get_by_label("Texts for it, one per line").fill("It is not far")
    view(page).get_by_role("button", name="Scan").click()
    expect(view(page).get_by_role("alert")).to_have_text("Both texts are needed: type them.")
    view(page).get_by_label("Query").fill("far")
    page.keyboard.press("Control+Enter")
    expect(answer(page)).to_have_attribute("data-state", "done")
    expect(view(page).locator("[role=status]")).to_contain_text("None of ")
    page.get_by_label("Model", exact=True).select_option("embedder")
    expect(view(page)).to_be_hidden()
    assert watch.complaints == []


def test_a_refused_part_is_sent_again_and_a_scan_can_be_cancelled(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#scan")
    view(page).get_by_label("Texts, one per line").fill(TEXTS[0])
    error = {"code": "overloaded", "message": "16 explanations and scans wait: try again later."}
    page.route("**/v1/scan", lambda route: route.fulfill(status=429, json={"error": error}))
    view(page).get_by_role("button", name="Scan 1 text").click()
    alert = answer(page).get_by_role("alert")
    expect(alert).to_contain_text(error["message"])
    page.unroute("**/v1/scan")
    alert.get_by_role("button", name="Try again").click()
    expect(answer(page)).to_have_attribute("data-state", "done")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/v1/scan", hold)
    view(page).get_by_role("button", name="Scan 1 text").click()
    expect(answer(page)).to_contain_text("Typos, 1 of 6. Requests of others go first.")
    answer(page).get_by_role("button", name="Cancel").click()
    expect(view(page).locator("[role=status]")).to_contain_text("Cancelled.")
    assert len(waiting) == 1


def test_a_scan_that_cannot_go_on_says_how_far_it_came(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#scan")
    view(page).get_by_label("Texts, one per line").fill(TEXTS[0])
    error = {"code": "insufficient_scope", "message": "The scope explain is missing."}
    page.route("**/v1/scan", lambda route: route.fulfill(status=403, json={"error": error}))
    view(page).get_by_role("button", name="Scan 1 text").click()
    expect(answer(page).get_by_role("alert")).to_contain_text(error["message"])
    expect(answer(page)).to_contain_text("Stopped. 0 of 6 kinds of changes tried.")
    expect(answer(page).get_by_role("progressbar")).to_have_count(0)
    expect(view(page).get_by_role("button", name="Scan 1 text")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_and_no_width_scrolls_sideways(visit: Visit, url: str, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    texts = [f"It is not {'Donaudampfschiff' * 20}, and {'so on ' * 200}", "It is not far"]
    page = scanned(visit, url, texts, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    for summary in answer(page).locator(".probes summary").all()[:3]:
        summary.click()
    assert violations(page) == []
    assert no_sideways_scrolling(page)
