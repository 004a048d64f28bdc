"""The views of the page: their links, their addresses, and what is loaded when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import bertline.service
from bertline.testing.words import WordCounter
from tests.service.accessible import SCHEMES, WIDTHS, violations
from tests.service.browsing import Visit, no_sideways_scrolling, state
from tests.service.live import live, warm

pytestmark = pytest.mark.browser

FIRST_LOAD_BYTES = 200_000
PAGE = Path(bertline.service.__file__).with_name("page")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": WordCounter(max_tokens=64)}
    models["embedder"] = WordCounter((), name="embedder", task={"task": "embed"})
    with live(models) as one:
        yield warm(one)


def links(page: Page) -> list[str]:
    return page.locator("#views a").all_inner_texts()


def current(page: Page) -> str | None:
    return page.locator("#views a[aria-current=page]").text_content()


def test_a_link_shows_its_view_and_back_the_one_before(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    expect(page.locator("#views a").first).to_be_visible()
    assert links(page)[:2] == ["Try", "Explain"]  # and others behind them
    assert current(page) == "Try"
    page.get_by_role("link", name="Explain", exact=True).click()
    expect(page.get_by_role("region", name="Explain")).to_be_focused()
    expect(page.locator("#view-try")).to_be_hidden()
    expect(page).to_have_title("Explain · reviews · bertline")
    assert current(page) == "Explain"
    page.go_back()
    expect(page.locator("#view-try")).to_be_visible()
    expect(page.locator("#view-explain")).to_be_hidden()
    expect(page).to_have_title("reviews · bertline")
    assert current(page) == "Try"
    assert watch.complaints == []


def test_a_view_is_reached_by_keyboard_and_by_its_address(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    expect(page.locator("#views a").first).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Explain", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Explain")).to_be_focused()
    page.reload()
    expect(page.get_by_role("region", name="Explain").get_by_label("Text", exact=True)).to_be_visible()
    assert current(page) == "Explain"
    page, _ = visit(url, "/#nothing")
    expect(page.locator("#view-try")).to_be_visible()
    assert watch.complaints == []


def test_only_views_of_the_chosen_model_are_there(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#explain")
    expect(page.locator("#view-explain")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("embedder")
    expect(page.locator("#view-explain")).to_be_hidden()
    expect(page.locator("#view-try")).to_be_visible()
    assert "Explain" not in links(page)
    page.get_by_label("Model", exact=True).select_option("reviews")
    expect(page.locator("#view-explain")).to_be_visible()
    assert watch.complaints == []


def test_a_view_that_cannot_be_loaded_says_so_and_is_tried_again(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.route("**/page/explain.css", lambda route: route.abort())
    page.get_by_role("link", name="Explain", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="Explain could not be loaded.")).to_be_visible()
    page.unroute("**/page/explain.css")
    page.go_back()
    page.get_by_role("link", name="Explain", exact=True).click()
    expect(page.get_by_role("region", name="Explain").get_by_label("Text", exact=True)).to_be_visible()


def test_the_first_load_is_small(visit: Visit, url: str) -> None:
    """Bodies and headers of every response until the page can be used; the browser's own cache is empty."""
    page, _ = visit(url, "/livez")
    sizes: list[int] = []
    page.on("requestfinished", lambda one: sizes.append(sum(one.sizes()[key] for key in KEYS)))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#views a").first).to_be_visible()
    assert len(sizes) > 20
    assert sum(sizes) < FIRST_LOAD_BYTES


KEYS = ("responseBodySize", "responseHeadersSize")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_in_try(visit: Visit, url: str, scheme: str) -> None:
    page, _ = visit(url, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#views a").first).to_be_visible()
    assert violations(page) == []
    page.fill("#text", "a good film")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    assert violations(page) == []
    page.get_by_role("radio", name="CSV file").check()
    assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(visit: Visit, url: str, width: int) -> None:
    page, _ = visit(url, viewport={"width": width, "height": 900})
    expect(page.locator("#views a").first).to_be_visible()
    assert no_sideways_scrolling(page)


def test_everything_that_the_first_view_imports_is_asked_for_at_once() -> None:
    """Otherwise a module is asked for when the one that imports it has come: five round trips instead of one."""
    found: set[str] = set()

    def follow(name: str) -> None:
        if name not in found:
            found.add(name)
            for other in re.findall(r'^import[^"]*"\./([\w-]+\.js)";', (PAGE / name).read_text(encoding="utf-8"), re.M):
                follow(other)

    follow("page.js")
    named = re.findall(
        r'rel="modulepreload" href="\./page/([\w.-]+)"', (PAGE / "index.html").read_text(encoding="utf-8")
    )
    assert sorted(named) == sorted(found - {"page.js"})
