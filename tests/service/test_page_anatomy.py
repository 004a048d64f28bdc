"""Anatomy on the page, in a real browser: a sentence through the model, with the server's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.testing.words import WordCounter, WordTagger
from tests.service.accessible import SCHEMES, WIDTHS, violations
from tests.service.browsing import Opened, Visit, no_sideways_scrolling, state
from tests.service.live import live, warm

pytestmark = pytest.mark.browser

TEXT = "a good good bad film, <b>it</b> is"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models: dict[str, WordCounter] = {"reviews": WordCounter(max_tokens=32)}
    models["pairs"] = WordCounter(("no", "yes"), pairs=True, name="pairs", max_tokens=32)
    models["tagger"] = WordTagger(max_tokens=32)
    with live(models) as one:
        yield warm(one)


def way(page: Page) -> Any:
    return page.locator("#view-anatomy .way")


def seen(visit: Visit, url: str, text: str = TEXT, **context: Any) -> Opened:
    page, watch = visit(url, "/#anatomy", **context)
    page.get_by_label("Sentence").fill(text)
    page.keyboard.press("Control+Enter")
    expect(way(page)).to_have_attribute("data-state", "done")
    return page, watch


def of_the_server(url: str, **body: Any) -> dict[str, Any]:
    response = httpx.post(f"{url}/v1/anatomy", json={"model": "reviews", "text": TEXT, **body}, timeout=60)
    found: dict[str, Any] = response.json()
    return found


def shares(weights: list[float]) -> list[str]:
    return [f"{100 * one:.1f}\N{NARROW NO-BREAK SPACE}%" for one in weights]


def test_every_step_is_shown_with_the_servers_words_and_numbers(visit: Visit, url: str) -> None:
    page, watch = seen(visit, url)
    found = of_the_server(url)
    steps = way(page).locator(".step")
    expect(steps.locator(".says")).to_have_text([one["says"] for one in found["steps"]])
    expect(steps.locator(".formula")).to_have_text([one["formula"] for one in found["steps"]])
    values = {one["name"]: one["values"] for one in found["steps"]}
    numbers = way(page).get_by_role("list", name="Weights", exact=True).locator(".value")
    expect(numbers).to_have_text(shares(values["weights"]["weights"]))
    expect(way(page).get_by_role("list", name="Weights of a causal model").locator(".value")).to_have_text(
        shares(values["both_ways"]["causal"])
    )
    ids = way(page).get_by_role("list", name="Tokens and their ids").locator("li")
    expect(ids).to_have_text([f"{one['text']} {one['id']}" for one in found["tokens"]])
    query = values["projections"]["query"]
    strip = steps.nth(3).get_by_role("img", name="Query: ")
    expect(strip).to_have_attribute(
        "aria-label", f"Query: 2 numbers from {written(min(query))} to {written(max(query))}"
    )
    steps.nth(3).get_by_text("Query", exact=True).click()
    expect(steps.nth(3).locator("details[open] code")).to_have_text("  ".join(written(one, 3) for one in query))
    assert "no reason for the answer" in found["steps"][5]["says"]
    assert watch.complaints == []


def written(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def test_all_heads_are_drawn_and_one_is_chosen_by_pointer_and_keyboard(visit: Visit, url: str) -> None:
    page, watch = seen(visit, url)
    tiles = way(page).locator(".tile")
    expect(tiles).to_have_count(4)
    drawn = "one => [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data].some(byte => byte > 0)"
    assert all(tiles.nth(place).locator("canvas").evaluate(drawn) for place in range(4))
    tiles.nth(1).click()
    title = way(page).locator(".full .title")
    expect(title).to_have_text("Layer 1, head 2 in full")
    expect(tiles.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(tiles.nth(3)).to_be_focused()
    page.keyboard.press("Enter")
    expect(title).to_have_text("Layer 2, head 2 in full")
    found = of_the_server(url, layer=1, head=1)
    expect(way(page).locator(".step .says")).to_have_text([one["says"] for one in found["steps"]])
    expect(way(page).locator(".alone")).to_be_visible()
    page.get_by_label("Layer", exact=True).focus()
    page.get_by_label("Layer", exact=True).select_option(label="1")
    expect(title).to_have_text("Layer 1, head 2 in full")
    expect(page.get_by_label("Layer", exact=True)).to_be_focused()
    assert watch.complaints == []


def test_two_choices_at_once_both_count_and_are_of_the_sentence_that_is_shown(visit: Visit, url: str) -> None:
    page, watch = seen(visit, url)
    page.get_by_label("Sentence").fill("another sentence")
    page.route("**/v1/anatomy", lambda route: None, times=1)
    page.get_by_label("Layer", exact=True).select_option(label="2")
    expect(way(page)).to_have_attribute("data-state", "waiting")
    page.get_by_label("Head", exact=True).select_option(label="2")
    expect(way(page).locator(".full .title")).to_have_text("Layer 2, head 2 in full")
    found = of_the_server(url)
    expect(way(page).locator(".token")).to_have_count(len(found["tokens"]))
    expect(way(page).locator(".alone .says")).to_have_text(found["parts"]["says"])
    assert watch.complaints == []


def test_it_goes_on_when_its_view_is_shown_again(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#anatomy")
    page.route("**/v1/anatomy", lambda route: None, times=1)
    page.get_by_label("Sentence").fill(TEXT)
    page.keyboard.press("Control+Enter")
    expect(way(page)).to_have_attribute("aria-busy", "true")
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("link", name="Anatomy", exact=True).click()
    expect(way(page).locator(".alone")).to_be_visible()
    assert watch.complaints == []


def test_attention_from_and_to_a_token_by_pointer_and_keyboard(visit: Visit, url: str) -> None:
    page, watch = seen(visit, url)
    (found, weights) = (of_the_server(url), of_the_server(url)["attentions"][0][0])
    tokens, values = way(page).locator(".token"), way(page).locator(".token .value")
    expect(values).to_have_text(shares(weights[1]))
    tokens.nth(3).hover()
    expect(values).to_have_text(shares(weights[3]))
    readout = way(page).locator(".readout")
    expect(readout).to_contain_text(f"“{found['tokens'][3]['text']}” takes most from ")
    page.get_by_role("radio", name="To the token").check()
    expect(values).to_have_text(shares([row[3] for row in weights]))
    expect(readout).to_contain_text("need not sum to 100")
    page.get_by_role("radio", name="From the token").check()
    tokens.nth(1).focus()
    page.keyboard.press("ArrowRight")
    expect(tokens.nth(2)).to_be_focused()
    expect(values).to_have_text(shares(weights[2]))
    page.keyboard.press("Enter")
    expect(way(page).locator(".where")).to_contain_text("token “good”")
    expect(tokens.nth(2)).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.tokens')") is None, "the tokens are one stop of Tab"
    page.get_by_text("All weights of this head").click()
    cells = way(page).locator(".full tbody tr").nth(2).locator("td")
    expect(cells).to_have_text(shares(weights[2]))
    assert watch.complaints == []


def test_parts_by_themselves_stand_beside_the_lexicon(visit: Visit, url: str) -> None:
    page, _ = seen(visit, url)
    parts = of_the_server(url)["parts"]
    card = way(page).locator(".alone")
    expect(card.locator(".says")).to_have_text(parts["says"])
    words = card.get_by_role("list", name="Words alone").locator("li")
    expect(words).to_have_count(len(parts["words"]))
    expect(words.nth(1)).to_contain_text("list 1.9")
    expect(words.nth(3)).to_contain_text("list \N{MINUS SIGN}2.5")
    page.get_by_label("Words in a window").select_option("2")
    windows = card.get_by_role("list", name="Windows alone").locator(".piece")
    expect(windows).to_have_text([one["text"] for one in of_the_server(url, window=2)["parts"]["windows"]])


def test_it_says_why_the_lexicon_and_the_model_differ(visit: Visit, url: str) -> None:
    text = "good good good good good good film"
    page, watch = seen(visit, url, text)
    word = of_the_server(url, text=text)["parts"]["words"][0]
    assert word["why"].endswith("The other words are enough.")
    reasons = way(page).locator(".reasons")
    expect(reasons.locator("dt")).to_have_text(["good list 1.9"])
    expect(reasons.locator("dd")).to_have_text([word["why"]])
    page, _ = seen(visit, url)
    expect(way(page).locator(".alone .says")).to_be_visible()
    expect(way(page).locator(".reasons")).to_have_count(0)
    assert watch.complaints == []


def test_one_click_leads_from_an_explanation_to_the_anatomy(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    page.fill("#text", "a good film")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("button", name="See inside the model").click()
    expect(way(page)).to_have_attribute("data-state", "done")
    expect(page.get_by_label("Sentence")).to_have_value("a good film")
    assert page.url.endswith("#anatomy")
    assert watch.complaints == []


def test_pairs_and_other_tasks_are_shown_too(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#anatomy")
    page.get_by_label("Model", exact=True).select_option("pairs")
    page.get_by_label("Sentence").fill("good film")
    page.get_by_role("button", name="Look inside").click()
    expect(way(page)).to_contain_text("Both texts are needed: type them.")
    page.get_by_label("Second text").fill("bad")
    page.get_by_role("button", name="Look inside").click()
    expect(way(page)).to_have_attribute("data-state", "done")
    expect(way(page).locator(".alone")).to_have_count(0)
    page.get_by_label("Model", exact=True).select_option("tagger")
    page.get_by_role("button", name="Take an example").click()
    expect(way(page)).to_have_attribute("data-state", "done")
    assert watch.complaints == []


def test_a_refusal_is_shown_in_the_words_of_the_server(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#anatomy")
    page.get_by_role("button", name="Look inside").click()
    expect(way(page)).to_contain_text("There is no sentence yet: type one.")
    page.get_by_label("Sentence").fill("good " * 70)
    page.get_by_role("button", name="Look inside").click()
    expect(way(page).get_by_role("alert")).to_contain_text("The text has 72 tokens and an anatomy shows 64")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(visit: Visit, url: str, scheme: str) -> None:
    page, _ = seen(visit, url, color_scheme=scheme, reduced_motion="reduce")
    page.get_by_text("All weights of this head").click()
    assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(visit: Visit, url: str, width: int) -> None:
    page, _ = seen(visit, url, f"good {'Donaudampfschiff' * 3} bad", viewport={"width": width, "height": 900})
    page.get_by_text("All weights of this head").click()
    assert no_sideways_scrolling(page)
