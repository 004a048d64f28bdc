"""Several texts at once, what is read of the long ones, several labels: on the page, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.service import ServeSettings
from bertline.testing.words import WordCounter
from tests.service.browsing import Visit, state
from tests.service.live import live

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": WordCounter(), "tags": WordCounter(("quiet", "good", "long"), several=True, name="tags")}
    with live(models, ServeSettings(max_batch_texts=4, max_chars=200, drain_s=0)) as one:
        yield one


def lines(page: Page, *texts: str) -> None:
    expect(page.locator("#model-facts li").first).to_be_visible()
    page.get_by_role("radio", name="Several").check()
    page.fill("#text", "\n".join(texts))
    page.keyboard.press("Control+Enter")


def test_each_line_is_a_text_and_empty_ones_are_none(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    lines(page, "a good film", "", "   ", "a bad one")
    state(page).to_have_attribute("data-state", "done")
    expect(page.locator("#count")).to_have_text("2 of 4 texts")
    expect(page.locator("#submit")).to_have_text("Classify 2 texts")
    expect(page.locator("#texts .excerpt")).to_have_text(["a good film", "a bad one"])
    expect(page.locator("#texts summary .label")).to_have_text(["positive", "negative"])
    expect(page.locator("#texts summary .value")).to_have_text(["90.0\u202f%", "90.0\u202f%"])
    expect(page.locator("#spoken")).to_have_text("2 texts: 1 positive, 1 negative. 10 tokens, nothing cut.")
    assert watch.complaints == []


def test_a_line_opens_by_keyboard_and_shows_every_label(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    lines(page, "a good film")
    state(page).to_have_attribute("data-state", "done")
    for _ in ("truncation", "Classify", "examples", "the line"):
        page.keyboard.press("Tab")
    expect(page.locator("#texts summary")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#texts .bars li")).to_have_text(["positive90.0\u202f%", "negative10.0\u202f%"])
    expect(page.locator("#texts .tokens")).to_have_text("5 tokens, nothing cut")


def test_a_refusal_names_the_line_of_the_text(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    lines(page, "good", "", "x" * 201)
    expect(page.locator("#error-title")).to_have_text("Line 3: this text was not accepted")
    expect(page.locator("#error-message")).to_have_text(
        "Line 3 has 201 characters and the limit is 200: send a part of it."
    )
    lines(page, "good", "fail")
    expect(page.locator("#error-message")).to_contain_text("The model cannot compute line 2: an index")


def test_too_many_lines_are_not_sent(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    lines(page, *["good"] * 5)
    expect(page.locator("#error")).to_contain_text("There are 5, and a request can have 4: save them as a CSV file")
    expect(page.locator("#count")).to_have_class(re.compile("over"))
    assert watch.complaints == []  # a refused request would be one


def test_the_truncation_of_a_long_text_is_a_setting(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    read, choice = page.locator("#read"), page.get_by_label("If too long, read")
    page.fill("#text", "good " * 10 + "bad " * 10)
    page.keyboard.press("Control+Enter")
    expect(choice).to_have_value("head_tail")
    expect(read).to_have_text("16 tokens, 6 cut")
    expect(page.locator("#code")).not_to_contain_text("truncation")
    choice.select_option("head")  # asks again by itself
    expect(page.locator("#verdict-share")).to_have_text("71.1\u202f%")  # 10 good, 4 bad: (1 + 80) / (2 + 112)
    expect(page.locator("#verdict")).to_have_text("positive")
    expect(page.locator("#code")).to_contain_text('"truncation":"head"')
    choice.select_option("tail")
    expect(page.locator("#verdict")).to_have_text("negative")
    choice.select_option("window")
    expect(read).to_have_text("22 tokens in 2 windows, nothing cut")
    choice.select_option("error")
    expect(page.locator("#error-message")).to_contain_text("ask for another truncation")


def test_the_short_option_lists_the_truncated_texts(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    lines(page, "good", "bad " * 20)
    expect(page.locator("#cut")).to_have_text("1 text of 2 is longer than the model can read.")
    expect(page.locator("#texts li").nth(1)).to_contain_text("cut")
    expect(page.locator("#read")).to_have_text("19 tokens, 6 cut")


def test_a_model_with_several_labels_shows_each_on_its_own_and_those_chosen(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option("tags")
    expect(page.locator("#model-facts")).to_contain_text("3 labels, several per text")
    page.fill("#text", "good good")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    answer = httpx.post(f"{url}/v1/predict", json={"text": "good good", "model": "tags"}).json()["predictions"][0]
    assert answer["labels"] == ["good"]
    shown = [f"{one['label']}{100 * one['probability']:.1f}\u202f%" for one in answer["probabilities"]]
    expect(page.locator("#bars li")).to_have_text(shown)
    expect(page.locator("#bars li.best")).to_have_count(1)
    expect(page.locator("#verdict")).to_have_text("good")
    expect(page.locator("#note")).to_contain_text("Each label has a probability of its own")
    page.fill("#text", "neither")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#verdict")).to_have_text("No label")
    expect(page.locator("#verdict-share")).to_have_text("at most 45.0\u202f%")
    expect(page.locator("#bars li.best")).to_have_count(0)
    assert watch.complaints == []


def test_another_model_takes_the_old_answer_away(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.fill("#text", "good")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    page.get_by_label("Model", exact=True).select_option("tags")
    state(page).to_have_attribute("data-state", "empty")
    expect(page.locator("h1")).to_have_text("tags")
    expect(page.locator("#code")).to_contain_text('"model":"tags"')
