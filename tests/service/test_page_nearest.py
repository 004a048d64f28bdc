"""The nearest labelled texts in Explain, in a real browser: offered only where the server may show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bertline.bundle.reference import ReferenceRows
from bertline.data.entities import Entity
from bertline.service import ServeSettings
from bertline.testing.words import WordCounter, WordRanker, WordTagger
from tests.service.accessible import SCHEMES, WIDTHS, violations
from tests.service.browsing import Visit, no_sideways_scrolling
from tests.service.live import live, warm
from tests.service.test_explain_nearest import WordRegressor

pytestmark = pytest.mark.browser

QUESTION = "Which texts are like it?"
LONG = "good <i>bad</i> " + "film " * 100 + "Donaudampfschiff" * 20
TEXTS = ReferenceRows(("good good", "bad bad", "🙂 good bad"), ("positive", "negative", "negative"))
KEPT: Any = {"validation": TEXTS, "test": ReferenceRows((LONG,), ("positive",))}


def doubles() -> dict[str, WordCounter]:
    tags = ReferenceRows(("🙂 good film", "a film is"), ((Entity(2, 6, "praise"),), ()))
    pair = ReferenceRows((("good film", "bad"), ("bad", "it is")), ("no", "yes"))
    return {
        "reviews": WordCounter(kept=KEPT),
        "without": WordCounter(name="without"),
        "pairs": WordCounter(("no", "yes"), pairs=True, name="pairs", max_tokens=32, kept={"test": pair}),
        "number": WordRegressor(kept={"test": ReferenceRows(("good", "bad"), (2.5, -1.0))}),
        "tagger": WordTagger(kept={"test": tags}),
        "ranker": WordRanker(kept={"test": ReferenceRows((("good", "bad"),), (1.0,))}),
    }


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live(doubles(), ServeSettings(drain_s=0, nearest_texts=True)) as one:
        yield warm(one)


def answer(page: Page) -> Any:
    return page.locator("#view-explain .answer")


def explained(visit: Visit, url: str, text: str = "good film", model: str = "reviews", **context: Any) -> Any:
    page, watch = visit(url, "/#explain", **context)
    page.get_by_label("Model", exact=True).select_option(model)
    page.locator("#explain-text").fill(text)
    second = page.locator("#explain-second")
    if second.is_visible():
        second.fill("bad")
    page.keyboard.press("Control+Enter")
    expect(answer(page)).to_have_attribute("data-state", "done")
    return page, watch


def asked(page: Page) -> Any:
    """The section, once its rows are there."""
    page.get_by_role("button", name=QUESTION).click()
    box = answer(page).get_by_role("region", name="Nearest labelled texts")
    expect(box.locator(".nearest li").first).to_be_visible()
    return box


def test_the_rows_with_label_similarity_place_and_whether_it_is_the_answer(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    box = asked(page)
    rows = box.locator(".nearest li")
    expect(rows).to_have_count(4)
    expect(rows.first.locator("strong")).to_have_text("positive")
    expect(rows.first.locator(".near-sign")).to_have_text("same label")
    expect(rows.locator(".near-sign.other")).to_have_text(["another label"] * 2)
    expect(box.locator(".agreeing")).to_have_text("2 of the 4 nearest texts have the label positive.")
    expect(page.locator("#view-explain [role=status]")).to_have_text(
        "2 of the 4 nearest texts have the label positive."
    )
    facts = box.locator(".near-facts").all_inner_texts()
    assert any(one.endswith("test row 1") for one in facts)
    assert any(one.endswith("validation row 3") for one in facts)
    shown = [float(one.removeprefix("similarity ").partition(",")[0]) for one in facts]
    assert shown == sorted(shown, reverse=True)
    expect(page.get_by_role("button", name=QUESTION)).to_have_count(0)
    assert watch.complaints == []


def test_it_is_asked_and_a_long_text_is_opened_by_keyboard(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    page.get_by_role("button", name=QUESTION).focus()
    page.keyboard.press("Enter")
    long = answer(page).locator(".near-text").filter(has_text="film film")
    expect(long).to_contain_text("good <i>bad</i> film")
    expect(long).to_contain_text("…")
    expect(answer(page).get_by_role("heading", name="Nearest labelled texts")).to_be_focused()
    long.get_by_role("button", name="Show all of it").focus()
    page.keyboard.press("Enter")
    expect(long).to_have_text(LONG)
    expect(long).to_be_focused()
    assert watch.complaints == []


@pytest.mark.parametrize(
    ("model", "text", "truths", "summary"),
    [
        ("pairs", "good film", ["no", "yes"], "1 of the 2 nearest texts has the label no."),
        ("number", "good film", ["2.5", "−1"], "The 2 nearest texts have numbers from −1 to 2.5."),
        ("tagger", "a good film", ["good: praise", "none"], "1 of the 2 nearest texts has an entity praise."),
        ("ranker", "good film", ["1"], "The nearest text has the number 1."),
    ],
)
def test_rows_of_other_tasks(visit: Visit, url: str, model: str, text: str, truths: list[str], summary: str) -> None:
    page, watch = explained(visit, url, text, model)
    box = asked(page)
    expect(box.locator(".near-head strong")).to_have_text(truths)
    expect(box.locator(".agreeing")).to_have_text(summary)
    if model in ("pairs", "ranker"):
        expect(box.locator("li").first.locator(".near-text")).to_have_count(2)
    assert watch.complaints == []


def test_a_model_without_rows_says_so(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url, model="without")
    page.get_by_role("button", name=QUESTION).click()
    box = answer(page).get_by_role("region", name="Nearest labelled texts")
    sentence = "without carries no rows to compare with: train it with --reference-rows, or leave nearest out."
    expect(box).to_contain_text(sentence)
    expect(page.locator("#view-explain [role=status]")).to_have_text(sentence)
    expect(box.get_by_role("alert")).to_have_count(0)
    expect(box.get_by_role("heading")).to_be_focused()
    assert violations(page) == []
    assert [one for one in watch.complaints if "422" not in one] == []


def test_a_failure_is_shown_and_tried_again(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url)
    error = {"code": "deadline", "message": "The rows that reviews carries are being embedded: try again."}
    page.route("**/v1/explain", lambda route: route.fulfill(status=504, json={"error": error}))
    page.get_by_role("button", name=QUESTION).click()
    box = answer(page).get_by_role("region", name="Nearest labelled texts")
    expect(box.get_by_role("alert")).to_contain_text("are being embedded: try again.")
    assert violations(page) == []
    page.unroute("**/v1/explain")
    box.get_by_role("button", name="Try again").click()
    expect(box.locator(".nearest li")).to_have_count(4)


def test_a_server_that_may_not_show_rows_does_not_offer_them(visit: Visit) -> None:
    with live({"reviews": WordCounter(kept=KEPT)}) as one:
        page, _ = visit(warm(one), "/#explain")
        page.locator("#explain-text").fill("good film")
        page.keyboard.press("Control+Enter")
        expect(answer(page)).to_have_attribute("data-state", "done")
        expect(page.get_by_role("button", name="Which words act together?")).to_be_visible()
        expect(page.get_by_role("button", name=QUESTION)).to_have_count(0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(visit: Visit, url: str, scheme: str) -> None:
    page, _ = explained(visit, url, color_scheme=scheme, reduced_motion="reduce")
    asked(page)
    assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(visit: Visit, url: str, width: int) -> None:
    page, _ = explained(visit, url, viewport={"width": width, "height": 900})
    box = asked(page)
    box.get_by_role("button", name="Show all of it").click()
    assert no_sideways_scrolling(page)


@pytest.mark.parametrize(("height", "stays"), [(800, True), (600, False)])
def test_the_request_stays_in_view_beside_a_long_answer(visit: Visit, url: str, height: int, stays: bool) -> None:
    page, _ = explained(visit, url, viewport={"width": 1280, "height": height})
    box = asked(page)
    box.get_by_role("button", name="Show all of it").click()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    send = page.locator("#view-explain").get_by_role("button", name="Explain", exact=True)
    if stays:
        expect(send).to_be_in_viewport()
    else:
        expect(send).not_to_be_in_viewport()
