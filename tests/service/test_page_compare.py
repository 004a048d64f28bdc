"""Compare on the page, in a real browser: two versions on a text and on a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.testing.words import WordCounter, WordTagger
from tests.service.accessible import LOOKS, violations
from tests.service.browsing import Opened, Visit, no_sideways_scrolling
from tests.service.live import live, warm
from tests.service.test_compare import OneWord, Sceptic, rows_of

pytestmark = pytest.mark.browser

TEXT = "a good film so"  # on which the two differ


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"old": WordCounter(max_tokens=32), "new": Sceptic(max_tokens=32, name="newer")}
    models |= {"tagger": WordTagger(), "tagger2": OneWord(name="tagger2")}
    with live(models) as one:
        # The first labelled table imports what computes the statistics, which takes seconds on a busy machine.
        body = {"first": {"model": "old"}, "second": {"model": "new"}, "rows": rows_of(30)}
        assert httpx.post(f"{warm(one)}/v1/compare/table", json=body, timeout=120).status_code == 200
        yield one


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "films.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label", "genre"])
        writer.writeheader()
        writer.writerows(rows_of(80))
    return path


def view(page: Page) -> Any:
    return page.locator("#view-compare")


def card(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title, exact=True)


def compared(visit: Visit, url: str, films: Path, *, genre: bool = True, **context: Any) -> Opened:
    """Open the table and compare."""
    page, watch = visit(url, "/#compare", **context)
    view(page).get_by_role("radio", name="CSV file").check()
    view(page).get_by_label("CSV file", exact=True).last.set_input_files(films)
    if genre:
        page.get_by_label("genre").check()
    page.get_by_role("button", name="Compare on 80 rows").click()
    expect(card(page, "Rows")).to_be_visible(timeout=60_000)
    return page, watch


def test_both_answers_to_a_text_by_keyboard(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#compare")
    expect(view(page).get_by_label("A", exact=True)).to_contain_text("old · ")
    page.fill("#compare-text", TEXT)
    page.keyboard.press("Control+Enter")
    answer = view(page).locator(".answer")
    expect(answer).to_have_attribute("data-state", "done")
    expect(answer).to_contain_text("They differ")
    sides = answer.locator(".one-side .said")
    expect(sides.nth(0)).to_contain_text("positive 90.0")
    expect(sides.nth(1)).to_contain_text("negative")
    expect(answer.locator(".took").first).to_contain_text(" ms")
    expect(view(page).locator("> [role=status]")).to_contain_text("They differ. A: positive")
    view(page).get_by_role("button", name="Swap A and B").click()
    expect(sides.nth(0)).to_contain_text("negative")
    view(page).get_by_label("A", exact=True).select_option(index=0)
    view(page).get_by_label("B", exact=True).select_option(index=0)
    expect(answer).to_contain_text("A and B are the same: pick another version for one of them.")
    assert watch.complaints == []


def test_it_goes_on_when_its_view_is_shown_again(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#compare")
    page.fill("#compare-text", TEXT)
    page.route("**/v1/compare", lambda route: None, times=1)
    page.keyboard.press("Control+Enter")
    expect(view(page).locator(".answer")).to_have_attribute("aria-busy", "true")
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(view(page).locator(".answer")).to_contain_text("They differ")
    assert watch.complaints == []


def test_a_text_of_try_is_taken_over(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.fill("#text", TEXT)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_have_attribute("data-state", "done")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(view(page).locator(".answer")).to_contain_text("They differ")


def test_a_table_shows_where_they_differ_and_which_is_better(visit: Visit, url: str, films: Path) -> None:
    page, watch = compared(visit, url, films)
    body = {"first": {"model": "old"}, "second": {"model": "new"}, "rows": rows_of(80), "slice_columns": ["genre"]}
    result = httpx.post(f"{url}/v1/compare/table", json=body, timeout=60).json()
    differ = result["agreement"]["differ"]
    verdict = card(page, "Verdict")
    expect(verdict).to_contain_text(f"They differ on {differ} of 80 rows")
    expect(verdict).to_contain_text(result["labelled"]["test"]["sentence"])
    expect(card(page, "What the gate says of these rows")).to_contain_text(result["labelled"]["checks"][0]["sentence"])
    expect(card(page, "Slices")).to_contain_text("genre = drama")
    expect(card(page, "Time for one text")).to_contain_text("times as long in the median")
    expect(page.locator(".chart canvas")).to_have_count(2)
    loss = verdict.get_by_role("row", name="NLL").locator("td")
    assert [re.fullmatch(r"\d\.\d{3}\s.*", one) is not None for one in loss.all_inner_texts()] == [True, True]
    confusion = result["labelled"]["confusion"]
    cells = card(page, "Confusion").locator("td")
    change = confusion["second"][1][0] - confusion["first"][1][0]
    expect(cells.nth(2)).to_have_text(f"+{change}")
    card(page, "Confusion").get_by_label("Show").select_option("first")
    expect(cells.nth(0)).to_have_text(str(confusion["first"][0][0]))
    assert watch.complaints == []


def test_rows_are_filtered_sorted_searched_and_downloaded(visit: Visit, url: str, films: Path) -> None:
    page, _ = compared(visit, url, films)
    rows, lines = card(page, "Rows"), card(page, "Rows").locator("tbody tr")
    apart = [float(one.split("\u202f")[0]) for one in rows.locator("td.number").all_text_contents()]
    assert apart == sorted(apart, reverse=True)
    rows.get_by_label("Rows", exact=True).select_option("first")
    expect(lines.first).to_contain_text("positive\u00a0✓ right")
    rows.get_by_label("Rows", exact=True).select_option("all")
    rows.get_by_label("Order").select_option("line")
    expect(lines).to_have_count(50)
    expect(lines.first.locator("th")).to_have_text("2")  # the header is line 1
    rows.get_by_role("button", name="Show 30 more").click()
    expect(lines).to_have_count(80)
    rows.get_by_label("Search").fill("no such text")
    expect(rows.get_by_role("status")).to_have_text("No such row.")
    with page.expect_download() as waiting:
        rows.get_by_role("button", name="Download CSV").click()
    assert waiting.value.suggested_filename == "films-compared.csv"
    with Path(waiting.value.path()).open(newline="", encoding="utf-8") as file:
        written = [*csv.DictReader(file)]
    assert [one["text"] for one in written] == [one["text"] for one in rows_of(80)]
    assert {one["right_a"] for one in written} == {"true", "false"}
    assert [one["agree"] == "false" for one in written] == [one["answer_a"] != one["answer_b"] for one in written]


def test_without_labels_it_says_what_is_missing(visit: Visit, url: str, films: Path) -> None:
    page, _ = visit(url, "/#compare")
    view(page).get_by_role("radio", name="CSV file").check()
    view(page).get_by_label("CSV file", exact=True).last.set_input_files(films)
    page.get_by_label("Labels").select_option("none")
    page.get_by_role("button", name="Compare on 80 rows").click()
    expect(card(page, "Verdict")).to_contain_text("Without labels nothing says which of the two is right.")
    expect(card(page, "Most frequent changes")).to_contain_text("negative")
    expect(card(page, "Confusion")).to_have_count(0)


def test_entities_are_compared_too(visit: Visit, url: str, tmp_path: Path) -> None:
    path = tmp_path / "praise.csv"
    path.write_text("text\na good film\na bad good film\na film\n")
    page, watch = visit(url, "/#compare")
    expect(view(page).get_by_label("B", exact=True)).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("tagger")
    expect(view(page).get_by_label("B", exact=True)).to_contain_text("tagger2")
    view(page).get_by_role("radio", name="CSV file").check()
    view(page).get_by_label("CSV file", exact=True).last.set_input_files(path)
    page.get_by_role("button", name="Compare on 3 rows").click()
    expect(card(page, "Rows").locator("tbody tr")).to_have_count(1)
    expect(card(page, "Rows").locator("tbody")).to_contain_text("bad (blame), good (praise)")
    assert watch.complaints == []


def test_a_refusal_is_shown_and_a_run_can_be_cancelled(visit: Visit, url: str, films: Path) -> None:
    page, _ = visit(url, "/#compare")
    view(page).get_by_role("radio", name="CSV file").check()
    page.get_by_role("button", name="Choose a file").last.focus()
    view(page).get_by_label("CSV file", exact=True).last.set_input_files(films)
    page.get_by_label("Labels").select_option("genre")
    page.get_by_role("button", name="Compare on 80 rows").click()
    expect(view(page).get_by_role("alert")).to_contain_text("that old knows")
    page.route("**/v1/compare/table", lambda route: None)
    page.get_by_role("button", name="Compare on 80 rows").click()
    expect(view(page).get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Compare on 80 rows")).to_be_focused()


def test_one_version_alone_says_how_to_load_another(visit: Visit) -> None:
    with live({"reviews": WordCounter()}) as one:
        page, watch = visit(warm(one), "/#compare")
        expect(view(page)).to_contain_text("Only one version is loaded, so there is nothing to compare it with.")
        expect(view(page)).to_contain_text("bertline serve old=BUNDLE new=BUNDLE")
        assert violations(page) == []
        assert watch.complaints == []


def test_it_waits_for_models_that_are_still_being_loaded(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    whole = httpx.get(f"{url}/v1/compare").json()
    first = {**whole, "versions": whole["versions"][:1]}
    page.route("**/v1/compare", lambda route: route.fulfill(json=first), times=1)
    page.route("**/health/ready", lambda route: route.fulfill(status=503), times=1)
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(view(page)).to_contain_text("The server is still loading its models…")
    expect(view(page).get_by_label("A", exact=True)).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_and_no_width_scrolls_sideways(
    visit: Visit, url: str, films: Path, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 900}
    page, _ = compared(visit, url, films, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    expect(page.locator(".chart canvas")).to_have_count(2)
    assert violations(page) == []
    assert no_sideways_scrolling(page)
    tables = view(page).locator(".figures .scroll")
    assert [one.evaluate("one => one.scrollWidth <= one.clientWidth") for one in tables.all()] == [
        True
    ] * tables.count()
    view(page).get_by_role("radio", name="One text").check()
    page.fill("#compare-text", f"{TEXT} {'Donaudampfschiff' * 20}")
    page.keyboard.press("Control+Enter")
    expect(view(page).locator(".answer")).to_have_attribute("data-state", "done")
    assert violations(page) == []
    assert no_sideways_scrolling(page)
