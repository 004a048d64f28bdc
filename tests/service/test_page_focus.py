"""Where the keyboard's focus is after its button has gone, been hidden or disabled, in each view of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.service.perimeter import Perimeter
from bertline.testing.words import WordCounter, WordFiller
from tests.service.browsing import Visit, state
from tests.service.live import live, warm
from tests.service.test_page_label import labelling

pytestmark = pytest.mark.browser

BUSY = {"error": {"code": "overloaded", "message": "16 explanations and scans wait: try again later."}}
TEXT = "it is a good good bad film that nobody saw in the end"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models: dict[str, WordCounter] = {"reviews": WordCounter(max_tokens=32)}
    models["second"] = WordCounter(max_tokens=32, name="second")
    models["filler"] = WordFiller(scores=(14, 12), max_tokens=32)
    models["codes"] = WordCounter([f"label {number:03}" for number in range(40)])
    with live(models) as one:
        yield warm(one)


def press(button: Locator) -> None:
    """By the keyboard."""
    button.focus()
    button.page.keyboard.press("Enter")


def view(page: Page, name: str) -> Locator:
    return page.locator(f"#view-{name}")


def explained(visit: Visit, url: str, text: str = TEXT) -> Page:
    page, _ = visit(url, "/#explain")
    page.fill("#explain-text", text)
    page.keyboard.press("Control+Enter")
    expect(view(page, "explain").locator(".answer")).to_have_attribute("data-state", "done")
    return page


def test_what_would_turn_it_leads_to_its_result(visit: Visit, url: str) -> None:
    page = explained(visit, url)
    box = view(page, "explain").get_by_role("region", name="What would turn it")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/v1/explain", hold)
    press(page.get_by_role("button", name="What would turn it?"))
    heading = box.get_by_role("heading", name="What would turn it")
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    expect(box).to_contain_text("Words are being changed until the answer turns.")
    waiting[0].fulfill(status=429, json=BUSY)
    again = box.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    expect(heading).to_be_focused()
    page.unroute("**/v1/explain")
    press(again)
    expect(box.locator("ins")).to_have_text("bad")
    expect(heading).to_be_focused()
    page.get_by_text("How it is found").click()
    words = page.get_by_label("To turn it, words are")
    words.focus()
    words.select_option("left out")
    expect(box.locator(".turned")).to_contain_text("Without “good”")
    expect(words).to_be_focused()


def test_the_rest_of_the_words_is_read_on(visit: Visit, url: str) -> None:
    page = explained(visit, url)
    rows = view(page, "explain").locator(".figures tbody tr")
    press(view(page, "explain").get_by_role("button", name="Show all"))
    expect(rows.nth(8).locator("th")).to_be_focused()


def test_an_explanation_that_is_tried_again_has_the_focus(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#explain")
    page.route("**/v1/explain", lambda route: route.fulfill(status=429, json=BUSY))
    page.fill("#explain-text", TEXT)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#explain-text")).to_be_focused()
    again = view(page, "explain").get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/v1/explain")
    press(again)
    expect(view(page, "explain").locator(".answer")).to_have_attribute("data-state", "done")
    expect(view(page, "explain").get_by_role("heading", name="Why")).to_be_focused()


def test_an_answer_that_is_tried_again_has_the_focus(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.route("**/v1/predict", lambda route: route.fulfill(status=429, json=BUSY))
    page.fill("#text", TEXT)
    page.keyboard.press("Control+Enter")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/v1/predict")
    press(again)
    state(page).to_have_attribute("data-state", "done")
    expect(page.locator("#answer-title")).to_be_focused()


def test_the_rest_of_the_labels_is_read_on(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.get_by_label("Model", exact=True).select_option("codes")
    page.fill("#text", TEXT)
    page.keyboard.press("Control+Enter")
    press(page.get_by_role("button", name="Show all 40 labels"))
    expect(page.locator("#bars li").nth(24)).to_be_focused()


def test_the_example_of_an_anatomy_leads_to_its_steps(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#anatomy")
    press(page.get_by_role("button", name="Take an example"))
    way = page.get_by_role("region", name="The way through the model")
    expect(way).to_have_attribute("data-state", "done")
    expect(way).to_be_focused()
    page.keyboard.press("Tab")
    expect(way.locator(".tile").first).to_be_focused()


def test_versions_are_looked_for_again(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    whole = httpx.get(f"{url}/v1/compare").json()
    first = {**whole, "versions": whole["versions"][:1]}
    page.route("**/v1/compare", lambda route: route.fulfill(json=first), times=1)
    page.get_by_role("link", name="Compare", exact=True).click()
    press(page.get_by_role("button", name="Look again"))
    expect(page.get_by_label("A", exact=True)).to_be_visible()
    expect(view(page, "compare")).to_be_focused()


def test_both_answers_that_are_tried_again_have_the_focus(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#compare")
    expect(page.get_by_label("A", exact=True)).to_be_visible()
    page.route("**/v1/compare", lambda route: route.fulfill(status=429, json=BUSY))
    page.fill("#compare-text", TEXT)
    page.keyboard.press("Control+Enter")
    again = view(page, "compare").get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/v1/compare")
    press(again)
    expect(view(page, "compare").locator(".answer")).to_have_attribute("data-state", "done")
    expect(view(page, "compare").get_by_role("heading", name="Both answers")).to_be_focused()


def test_a_scan_that_ends_leads_to_what_broke(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#scan")
    scan = view(page, "scan")
    page.route("**/v1/scan", lambda route: route.fulfill(status=429, json=BUSY))
    scan.get_by_label("Texts, one per line").fill(TEXT)
    page.keyboard.press("Control+Enter")
    again = scan.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/v1/scan")
    page.route("**/v1/scan", lambda route: None)
    press(again)
    heading = scan.get_by_role("heading", name="What broke")
    expect(heading).to_be_focused()
    press(scan.get_by_role("button", name="Cancel"))
    expect(heading).to_be_focused()
    expect(scan.locator(".answer")).to_contain_text("Cancelled. 0 of 6 kinds of changes tried.")
    expect(scan.get_by_role("progressbar")).to_have_count(0)


def test_the_last_text_that_is_labelled_leads_to_what_comes_then(visit: Visit, tmp_path: Path) -> None:
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", ["a good film"]) as url:
        page, _ = visit(url, "/#label")
        page.get_by_label("Your name").fill("Ana")
        page.keyboard.press("Enter")
        work = view(page, "label").locator(".work")
        page.route("**/v1/feedback", lambda route: route.fulfill(status=503, json=BUSY))
        press(page.get_by_role("button", name="positive"))
        again = work.get_by_role("button", name="Try again")
        expect(again).to_be_visible()
        page.unroute("**/v1/feedback")
        press(again)
        heading = work.get_by_role("heading", name="Nothing to label now")
        expect(heading).to_be_focused()
        press(page.get_by_role("button", name="Look again"))
        expect(work).to_contain_text("Nothing to label now")
        assert page.evaluate("document.activeElement !== document.body")


def test_keys_that_are_hidden_by_a_key_lead_to_their_button(visit: Visit, tmp_path: Path) -> None:
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", ["a good film"]) as url:
        page, _ = visit(url, "/#label")
        page.get_by_label("Your name").fill("Ana")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="positive")).to_be_visible()
        page.keyboard.press("?")
        page.get_by_label("Single keys label").focus()
        page.keyboard.press("?")
        expect(page.get_by_role("button", name="? Keys")).to_be_focused()


def versions(engine: str, *, previous: bool = True) -> dict[str, Any]:
    one = {"version": "b" * 12, "engine": engine, "ready": True, "metrics": {}}
    return {"current": {**one, "version": "a" * 12}, "previous": one if previous else None}


def test_a_card_that_is_drawn_anew_hands_the_focus_on(visit: Visit, url: str, tmp_path: Path) -> None:
    page, _ = visit(url)
    answers = [versions("one"), versions("two"), versions("three", previous=False)]
    page.route("**/admin/models/reviews", lambda route: route.fulfill(json=answers[0]))
    page.get_by_role("link", name="Watch", exact=True).click()
    card = page.get_by_role("region", name="Versions")
    back = card.get_by_role("button", name="Roll back…")
    for engine, heir in (("two", back), ("three", card.get_by_role("heading", name="Versions"))):
        answers.pop(0)
        press(back)
        page.keyboard.press("Escape")  # the cards look again
        expect(card).to_contain_text(engine)
        expect(heir).to_be_focused()


def test_a_question_that_is_refused_keeps_the_focus(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.route("**/admin/models/reviews", lambda route: route.fulfill(json=versions("one")))
    page.route("**/rollback", lambda route: route.fulfill(status=409, json=BUSY))
    page.get_by_role("link", name="Watch", exact=True).click()
    press(page.get_by_role("button", name="Roll back…"))
    yes = page.get_by_role("dialog").get_by_role("button", name="Roll back")
    press(yes)
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    expect(yes).to_be_focused()


def test_lines_over_time_that_fail_are_tried_again(visit: Visit, tmp_path: Path) -> None:
    settings = PredictionSettings(url=f"sqlite:///{tmp_path / 'p.db'}")
    with (
        PredictionWriter(settings) as writer,
        live({"reviews": WordCounter()}, perimeter=Perimeter(predictions=writer)) as url,
    ):
        page, _ = visit(warm(url))
        page.route("**/history?*", lambda route: route.fulfill(status=503, json=BUSY))
        page.get_by_role("link", name="Watch", exact=True).click()
        card = page.get_by_role("region", name="Over time")
        again = card.get_by_role("button", name="Try again")
        expect(again).to_be_visible()
        page.unroute("**/history?*")
        press(again)
        expect(card).to_contain_text("No text was answered and kept in this time.")
        expect(card.get_by_label("Time")).to_be_focused()
