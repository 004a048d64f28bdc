"""Explain on the page, in a real browser: from an answer to the words that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from bertline.statistics.figures import percent
from bertline.testing.words import WordCounter, WordFiller
from tests.nightly import mostly_nightly
from tests.service.accessible import SCHEMES, WIDTHS, violations
from tests.service.browsing import Opened, Visit, no_sideways_scrolling, state
from tests.service.live import live, warm

pytestmark = pytest.mark.browser

TEXT = "🙂 a good good bad film, <b>it</b> is"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models: dict[str, WordCounter] = {"reviews": WordCounter(max_tokens=32)}
    models["filler"] = WordFiller(scores=(14, 12), max_tokens=32)
    models["pairs"] = WordCounter(("no", "yes"), pairs=True, name="pairs", max_tokens=32)
    with live(models) as one:
        yield warm(one)


def answer(page: Page) -> Any:
    return page.locator("#view-explain .answer")


def explained(visit: Visit, url: str, text: str = TEXT, **context: Any) -> Opened:
    """Type, ask, press Why?."""
    page, watch = visit(url, **context)
    page.fill("#text", text)
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    page.get_by_role("button", name="Why?").click()
    expect(answer(page)).to_have_attribute("data-state", "done")
    return page, watch


def of_the_server(url: str, **body: Any) -> dict[str, Any]:
    response = httpx.post(f"{url}/v1/explain", json={"model": "reviews", "text": TEXT, **body}, timeout=60)
    found: dict[str, Any] = response.json()
    return found


def written(share: float) -> str:
    return f"{share:+.2f}".replace("-", "\N{MINUS SIGN}")


def test_why_shows_the_words_of_the_answer(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    found = of_the_server(url)
    assert page.url.endswith("#explain")
    expect(answer(page).locator(".verdict")).to_contain_text(found["label"])
    expect(answer(page).locator(".shares")).to_have_text(TEXT)
    words = answer(page).locator(".shares button")
    expect(words).to_have_text([one["text"] for one in found["words"]])
    largest = max(abs(one["share"]) for one in found["words"])
    for place, one in enumerate(found["words"]):
        kind = "for" if one["share"] > 0 else "against"
        expect(words.nth(place)).to_have_class(f"word {kind}" if abs(one["share"]) > 0.12 * largest else "word")
    rows = sorted(found["words"], key=lambda one: -abs(one["share"]))
    shares = answer(page).locator(".figures tbody tr td").all_text_contents()
    assert [one.split(" ")[0] for one in shares] == [written(one["share"]) for one in rows]
    expect(answer(page).locator(".figures tbody tr:visible")).to_have_count(8)
    answer(page).get_by_role("button", name="Show all").click()
    expect(answer(page).locator(".figures tbody tr:visible")).to_have_count(len(rows))
    sums = answer(page).locator(".measures dd")
    expect(sums.nth(0)).to_contain_text(written(found["base"]))
    expect(sums.nth(1)).to_have_text(written(found["value"] - found["base"]))
    expect(sums.nth(2)).to_contain_text(written(found["value"]))
    expect(answer(page).locator(".faithful")).to_contain_text("without them the probability ")
    expect(page.locator("#view-explain [role=status]")).to_contain_text("Strongest words: ")
    assert watch.complaints == []


def test_numbers_of_a_word_by_pointer_and_by_keyboard(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url)
    found = of_the_server(url)["words"]
    readout, words = answer(page).locator(".readout"), answer(page).locator(".shares button")
    bad = next(place for place, one in enumerate(found) if one["text"] == "bad")
    words.nth(bad).hover()
    expect(readout).to_contain_text(f"bad {written(found[bad]['share'])}")
    words.first.focus()
    for _ in range(bad):
        page.keyboard.press("ArrowRight")
    expect(words.nth(bad)).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("End")
    expect(readout).to_contain_text(found[-1]["text"])
    page.keyboard.press("ArrowRight")
    expect(words.first).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.shares')") is None, "the words are one stop of Tab"


def test_label_method_and_removal_are_chosen(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url)
    page.locator("#view-explain").get_by_label("Explain", exact=True).select_option("negative")
    other = of_the_server(url, label="negative")
    expect(answer(page).locator(".verdict")).to_contain_text("negative")
    expect(answer(page).locator(".measures dd").nth(2)).to_contain_text(written(other["value"]))
    page.get_by_text("How it is found").click()
    page.get_by_label("A missing word is").select_option("mask")
    expect(answer(page).locator(".note").last).to_contain_text("[MASK] in place of missing words")
    page.get_by_label("Ask", exact=True).select_option("leave-one-out")
    alone = answer(page).get_by_text("Each word was left out alone, so the shares do not add up to the answer.")
    expect(alone).to_be_visible()
    expect(answer(page).locator(".measures")).to_have_count(0)


def test_both_texts_of_a_pair(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#explain")
    view = page.locator("#view-explain")
    page.get_by_label("Model", exact=True).select_option("pairs")
    view.get_by_label("Text", exact=True).fill("good film")
    view.get_by_role("button", name="Explain").click()
    expect(answer(page)).to_contain_text("Both texts are needed: type them.")
    view.get_by_label("Second text").fill("bad")
    page.keyboard.press("Control+Enter")
    expect(answer(page).locator(".shares")).to_have_text(["good film", "bad"])
    assert watch.complaints == []


def test_a_long_text_says_what_was_cut_and_the_second_why_is_of_the_second_text(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url, "film " * 40)
    expect(answer(page).locator(".cut")).to_contain_text("The text is longer than the model can read: 10 tokens cut.")
    expect(answer(page).locator(".shares button")).to_have_count(30)
    page.get_by_role("link", name="Try", exact=True).click()
    page.fill("#text", "a bad film")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    page.get_by_role("link", name="Explain", exact=True).click()
    expect(answer(page).locator(".shares")).to_have_text("a bad film")


def test_each_of_several_texts_has_a_why(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.get_by_role("radio", name="Several").check()
    page.fill("#text", "a good film\na bad film")
    page.keyboard.press("Control+Enter")
    page.locator("#texts summary").nth(1).click()
    page.get_by_role("button", name="Why?").click()
    expect(answer(page).locator(".shares")).to_have_text("a bad film")


def turned(page: Page) -> Any:
    """The counter-evidence, once it is there."""
    page.get_by_role("button", name="What would turn it?").click()
    box = answer(page).get_by_role("region", name="What would turn it")
    expect(box.locator(".note").last).to_contain_text("It took ")
    return box


def test_what_would_turn_it_shows_the_text_before_and_after(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    box = turned(page)
    found = of_the_server(url, replacements="filler", method="leave-one-out")["counter"]
    (word,) = found["words"]
    assert (word["text"], word["replacement"]) == ("good", "bad")
    said = f"With “bad” for “good” the answer is negative ({percent(found['shown'])}) instead of positive."
    expect(box.locator(".turned")).to_have_text(said)
    expect(page.locator("#view-explain [role=status]")).to_have_text(said)
    before, after = box.locator("dd p").all()
    expect(before).to_have_text(TEXT)
    expect(before.locator("del")).to_have_text("good")
    expect(after).to_have_text(found["texts"][0])
    expect(after.locator("ins")).to_have_text("bad")
    rows = [found, *found["others"]]
    assert len(rows) > 1
    expect(box.locator("tbody th")).to_have_text(["bad for good"] * len(rows))
    expect(box.locator("tbody td:nth-child(2)")).to_have_text([percent(one["words"][0]["probability"]) for one in rows])
    expect(box.locator("tbody td:nth-child(3)")).to_have_text([f"negative {percent(one['shown'])}" for one in rows])
    taken = f"It took {found['answers']} answers of the model and {found['proposals']} texts with a hidden word."
    expect(box.locator(".note").last).to_contain_text(taken)
    expect(page.get_by_role("button", name="What would turn it?")).to_have_count(0)
    assert watch.complaints == []


def test_words_are_left_out_where_that_is_chosen(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    page.get_by_text("How it is found").click()
    page.get_by_label("To turn it, words are").select_option("left out")
    box = turned(page)
    found = of_the_server(url, counter=True, method="leave-one-out")["counter"]
    gone = ", ".join(f"“{word['text']}”" for word in found["words"])
    expect(box.locator(".turned")).to_contain_text(f"Without {gone} the answer is {found['turned']}")
    expect(box).to_contain_text("because no masked language model was given.")
    expect(box.locator("dd p").nth(1)).to_have_text(found["texts"][0])
    expect(box.locator("ins")).to_have_count(0)
    assert watch.complaints == []


def test_another_choice_of_words_looks_again(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    box = turned(page)
    expect(box.locator(".turned")).to_contain_text("With “bad” for “good”")
    page.get_by_text("How it is found").click()
    words = page.get_by_label("To turn it, words are")
    words.select_option("left out")
    expect(box.locator(".turned")).to_contain_text("Without “good”")
    words.select_option("filler")
    expect(box.locator(".turned")).to_contain_text("With “bad” for “good”")
    page.get_by_label("A missing word is").select_option("mask")
    expect(page.get_by_role("button", name="What would turn it?")).to_be_visible()
    expect(answer(page).get_by_role("region", name="What would turn it")).to_have_count(0)
    words.select_option("left out")
    expect(page.get_by_role("button", name="What would turn it?")).to_be_enabled()
    assert watch.complaints == []


def test_the_answer_is_turned_whichever_label_is_explained(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url)
    page.locator("#view-explain").get_by_label("Explain", exact=True).select_option("negative")
    expect(answer(page).locator(".verdict")).to_contain_text("negative")
    expect(turned(page).locator(".turned")).to_contain_text("the answer is negative")
    expect(answer(page).locator(".turned")).to_contain_text("instead of positive.")


def test_words_that_act_together_are_shown_with_each_alone(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    ask = page.get_by_role("button", name="Which words act together?")
    ask.click()
    box = answer(page).get_by_role("region", name="Words that act together")
    found = of_the_server(url, phrases=True, method="leave-one-out")["phrases"]
    assert found
    expect(box.locator("tbody th")).to_have_text([one["text"] for one in found])
    expect(box.locator("tbody td:nth-child(2)")).to_have_text([written(one["share"]) for one in found])
    alone = [f"{word['text']} {written(word['alone'])}" for one in found for word in one["words"]]
    expect(box.locator(".alone")).to_have_text(alone)
    expect(page.locator("#view-explain [role=status]")).to_contain_text("Words that act together: ")
    expect(ask).to_have_count(0)
    assert violations(page) == []
    assert watch.complaints == []


def test_it_says_that_no_words_act_together(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url, "film")
    page.get_by_role("button", name="Which words act together?").click()
    box = answer(page).get_by_role("region", name="Words that act together")
    expect(box).to_contain_text("No words were found that do more or less together than alone.")


def test_another_question_ends_the_one_before(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    page.route("**/v1/explain", lambda route: None, times=1)
    turn = page.get_by_role("button", name="What would turn it?")
    turn.click()
    expect(turn).to_be_disabled()
    page.get_by_role("button", name="Which words act together?").click()
    expect(answer(page).get_by_role("region", name="Words that act together").locator("tbody")).to_be_visible()
    expect(turn).to_be_enabled()
    expect(answer(page).get_by_role("region", name="What would turn it")).to_have_count(0)
    expect(turned(page).locator(".turned")).to_contain_text("the answer is negative")
    assert watch.complaints == []


@pytest.mark.parametrize(
    ("text", "tried"), mostly_nightly([("film", "one word"), ("a film", "up to 2 words")], always=1)
)
def test_it_says_that_nothing_turns_a_text(visit: Visit, url: str, text: str, tried: str) -> None:
    page, _ = explained(visit, url, text)
    page.get_by_text("How it is found").click()
    page.get_by_label("To turn it, words are").select_option("left out")
    said = of_the_server(url, text=text, counter=True)["counter"]
    assert said["words"] == []
    nothing = f"No change was found that turns the answer ({said['label']}): all changes of {tried} were tried."
    expect(turned(page).get_by_text(nothing, exact=True)).to_be_visible()


def test_a_pair_is_turned_in_the_text_with_the_word(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#explain")
    page.get_by_label("Model", exact=True).select_option("pairs")
    page.locator("#view-explain").get_by_label("Text", exact=True).fill("good film")
    page.get_by_label("Second text").fill("it is")
    page.keyboard.press("Control+Enter")
    expect(answer(page)).to_have_attribute("data-state", "done")
    box = turned(page)
    expect(box.locator("dd").nth(1).locator("p")).to_have_text(["bad film", "it is"])
    assert watch.complaints == []


def test_a_change_that_is_refused_is_tried_again(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url)
    busy = {"error": {"code": "overloaded", "message": "16 explanations and scans wait: try again later."}}
    page.route("**/v1/explain", lambda route: route.fulfill(status=429, json=busy))
    page.get_by_role("button", name="What would turn it?").click()
    box = answer(page).get_by_role("region", name="What would turn it")
    expect(box.get_by_role("alert")).to_contain_text("16 explanations and scans wait")
    page.unroute("**/v1/explain")
    box.get_by_role("button", name="Try again").click()
    expect(box.locator("ins")).to_have_text("bad")


def test_a_text_that_was_not_answered_before_is_explained_by_its_own_label(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#explain")
    page.fill("#explain-text", "a bad film")
    page.keyboard.press("Control+Enter")
    expect(answer(page).locator(".verdict")).to_contain_text("negative")


@pytest.mark.parametrize(
    ("status", "error", "title", "again"),
    [
        (403, {"code": "insufficient_scope", "message": "The scope explain is missing."}, "Not allowed", False),
        (
            429,
            {"code": "overloaded", "message": "16 explanations and scans wait: try again later."},
            "The server is busy",
            True,
        ),
        (504, {"code": "deadline", "message": "Allow more time."}, "The answer took too long", True),
    ],
)
def test_a_refusal_is_shown_in_the_words_of_the_server(
    visit: Visit, url: str, status: int, error: dict[str, str], title: str, again: bool
) -> None:
    page, _ = visit(url, "/#explain")
    page.route("**/v1/explain", lambda route: route.fulfill(status=status, json={"error": error}))
    page.fill("#explain-text", "a good film")
    page.keyboard.press("Control+Enter")
    box = answer(page).get_by_role("alert")
    expect(box).to_contain_text(title)
    expect(box).to_contain_text(error["message"])
    page.unroute("**/v1/explain")
    expect(box.get_by_role("button", name="Try again")).to_have_count(1 if again else 0)
    if again:
        box.get_by_role("button", name="Try again").click()
        expect(answer(page)).to_have_attribute("data-state", "done")


def test_it_says_that_it_waits_and_the_last_request_wins(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#explain")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/v1/explain", hold)
    text = page.locator("#explain-text")
    text.fill("a good film")
    page.keyboard.press("Control+Enter")
    expect(answer(page)).to_have_attribute("aria-busy", "true")
    expect(answer(page)).to_contain_text("Requests of others go first.")
    text.fill("a bad film")
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(50)
    for route in waiting:
        route.continue_()
    expect(answer(page).locator(".shares")).to_have_text("a bad film")
    assert watch.complaints == []


def test_it_goes_on_when_its_view_is_shown_again(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#explain")
    page.route("**/v1/explain", lambda route: None, times=1)
    page.fill("#explain-text", "a good film")
    page.keyboard.press("Control+Enter")
    expect(answer(page)).to_have_attribute("aria-busy", "true")
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("link", name="Explain", exact=True).click()
    expect(answer(page).locator(".shares")).to_have_text("a good film")
    assert watch.complaints == []


def test_a_choice_that_is_made_while_it_waits_counts(visit: Visit, url: str) -> None:
    page, watch = explained(visit, url)
    page.get_by_text("How it is found").click()
    page.route("**/v1/explain", lambda route: None, times=1)
    page.get_by_label("Ask", exact=True).select_option("leave-one-out")
    expect(answer(page)).to_have_attribute("data-state", "waiting")
    page.get_by_label("A missing word is").select_option("mask")
    expect(answer(page).locator(".note").last).to_contain_text("[MASK] in place of missing words")
    expect(answer(page)).to_contain_text("Each word was left out alone")
    assert watch.complaints == []


def test_why_explains_its_text_whatever_was_typed_since(visit: Visit, url: str) -> None:
    page, _ = explained(visit, url, "a good film")
    page.fill("#explain-text", "a bad film")
    page.keyboard.press("Control+Enter")
    expect(answer(page).locator(".shares")).to_have_text("a bad film")
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("button", name="Why?").click()
    expect(answer(page).locator(".shares")).to_have_text("a good film")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(visit: Visit, url: str, scheme: str) -> None:
    page, _ = explained(visit, url, color_scheme=scheme, reduced_motion="reduce")
    page.get_by_text("How it is found").click()
    turned(page)
    assert violations(page) == []
    page.fill("#explain-text", " ")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(answer(page)).to_contain_text("There is no text yet: type one.")
    assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(visit: Visit, url: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    page, _ = explained(visit, url, f"good {'Donaudampfschiff' * 20} bad", viewport=viewport)
    expect(answer(page).locator(".readout")).to_be_in_viewport()
    turned(page)
    assert no_sideways_scrolling(page)
