"""The page in a real browser: type, see the answer, see what went wrong; nothing comes from anywhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydantic import JsonValue

from bertline.service import ServeSettings
from tests.service.doubles import TOPICS, Failing, Gated, WordCounter
from tests.service.live import live

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
METRICS: dict[str, JsonValue] = {"accuracy": {"value": 0.842, "low": 0.821, "high": 0.861}}
MARKUP = "<img src=x onerror=alert(1)><b>good</b>"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as run, run.chromium.launch(executable_path=chromium, args=FLAGS) as one:
        yield one


@dataclass
class Watch:
    """What a page asked for and what it complained about."""

    origin: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("request", lambda one: self.asked(one.url))
        page.on("console", lambda one: self.complaints.append(one.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def asked(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", "data:")):
            self.foreign.append(url)


Opened = tuple[Page, Watch]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Opens a page in a fresh browser context; at the end nothing foreign may have been asked for."""
    with ExitStack() as stack:
        watches: list[Watch] = []

        def go(url: str, path: str = "/", **context: Any) -> Opened:
            page = stack.enter_context(browser.new_context(**context)).new_page()
            page.set_default_timeout(20_000)
            watch = Watch(url)
            watch.over(page)
            watches.append(watch)
            page.goto(url + path)
            return page, watch

        yield go
        assert [watch.foreign for watch in watches] == [[] for _ in watches]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter(max_tokens=64, metrics=METRICS)}) as one:
        yield one


@contextmanager
def held(model: Gated) -> Iterator[None]:
    """Let the warm-up pass, hold what comes after it, and let go at the end."""
    try:
        model.gate.set()
        yield
    finally:
        model.gate.set()


def state(page: Page) -> Any:
    return expect(page.locator("#answer"))


def no_sideways_scrolling(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_type_submit_by_keyboard_and_see_every_label(visit: Callable[..., Opened], url: str) -> None:
    page, watch = visit(url)
    expect(page).to_have_title("reviews · bertline")
    facts = page.locator("#model-facts")
    expect(facts).to_contain_text(
        "84.2\u202f% accurate on held-out text (95\u202f% interval 82.1\u202f% to 86.1\u202f%)"
    )
    expect(facts).to_contain_text("reads up to 64 tokens")
    expect(page.locator("#bars li")).to_have_text(["negative0.0\u202f%", "positive0.0\u202f%"])
    page.get_by_label("Text", exact=True).fill("a good film")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    expect(page.locator(".verdict")).to_have_text("positive 90.0\u202f%")
    expect(page.locator("#bars li")).to_have_text(["positive90.0\u202f%", "negative10.0\u202f%"])
    expect(page.locator("#read")).to_have_text("5 tokens, nothing cut")
    expect(page.locator("#took")).to_have_text(re.compile(r"^[\d.,]+ m?s$"))
    expect(page.locator("#model-took")).to_have_text(re.compile(r"^[\d.,]+ m?s$"))
    expect(page.locator("#cut")).to_be_hidden()
    expect(page.get_by_role("status")).to_have_text("positive, 90.0\u202f%. 5 tokens read, none left out.")
    assert watch.complaints == []


def test_an_example_is_answered_with_one_click_and_a_long_one_says_what_was_cut(
    visit: Callable[..., Opened], url: str
) -> None:
    page, watch = visit(url)
    page.get_by_role("button", name="A long text").click()
    expect(page.locator("#cut")).to_have_text(
        re.compile(r"^The text is longer than the model reads: 64 tokens read, \d+ left out\.$")
    )
    page.get_by_role("button", name="Praise").click()
    expect(page.locator("#cut")).to_be_hidden()
    assert watch.complaints == []


def test_markup_stays_text(visit: Callable[..., Opened]) -> None:
    with live({MARKUP: WordCounter(("<i>no</i>", MARKUP))}) as url:
        page, watch = visit(url)
        expect(page.locator("h1")).to_have_text(MARKUP)
        page.fill("#text", f"good {MARKUP}")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#verdict")).to_have_text(MARKUP)
        expect(page.locator("#curl")).to_contain_text("<img src=x onerror=alert(1)>")
        assert page.locator("main img, main b, main i").count() == 0
        assert watch.complaints == []


def test_a_refusal_is_shown_in_the_words_of_the_server(visit: Callable[..., Opened]) -> None:
    with live({"reviews": WordCounter()}, ServeSettings(max_chars=10)) as url:
        page, _ = visit(url)
        page.fill("#text", "x" * 11)
        expect(page.locator("#count")).to_have_text("11 of 10 characters")
        page.get_by_role("button", name="Classify").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("This text was not accepted")
        expect(alert).to_contain_text("text has 11 characters and the limit is 10: send a part of it.")
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()
        page.fill("#text", "good")
        expect(page.locator("#count")).to_be_hidden()
        page.keyboard.press("Control+Enter")
        state(page).to_have_attribute("data-state", "done")


def test_an_empty_text_is_not_sent(visit: Callable[..., Opened], url: str) -> None:
    page, watch = visit(url)
    expect(page.locator("#model-facts")).to_contain_text("2 labels")
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no text yet")
    assert watch.complaints == []  # a refused request would be one


def test_a_failing_server_and_one_that_is_gone(visit: Callable[..., Opened]) -> None:
    with live({"reviews": Failing()}) as url:
        page, _ = visit(url)
        page.fill("#text", "fail")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("The server failed on this request; its log has")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        page.fill("#text", "good")
        page.get_by_role("button", name="Try again").click()
        state(page).to_have_attribute("data-state", "done")
    page.keyboard.press("Tab")
    page.locator("#text").focus()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Is it still running?")


def test_a_slow_answer_shows_that_it_is_awaited_and_the_last_request_wins(
    visit: Callable[..., Opened],
) -> None:
    model = Gated()
    with live({"slow": model}) as url, held(model):
        page, _ = visit(url)
        model.gate.clear()
        page.fill("#text", "good")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Reading…")).to_be_visible()
        model.gate.set()
        state(page).to_have_attribute("data-state", "done")
        expect(page.get_by_text("Reading…")).to_be_hidden()
        model.gate.clear()
        page.fill("#text", "bad bad")
        page.keyboard.press("Control+Enter")
        state(page).to_have_attribute("data-state", "waiting")
        state(page).to_have_attribute("aria-busy", "true")
        page.fill("#text", "good good good")
        page.keyboard.press("Control+Enter")
        model.gate.set()
        expect(page.locator(".verdict")).to_have_text("positive 96.2\u202f%")
        assert page.locator("#answer").get_attribute("aria-busy") is None


def test_several_models_and_many_labels(visit: Callable[..., Opened]) -> None:
    many = [f"label {number:03}" for number in range(40)]
    models = {"topics": WordCounter(TOPICS), "reviews": WordCounter(), "codes": WordCounter(many)}
    with live(models) as url:
        page, watch = visit(url, viewport={"width": 360, "height": 740})
        page.get_by_role("button", name="News").click()
        expect(page.locator("#bars li:visible")).to_have_count(20)
        assert no_sideways_scrolling(page)
        page.get_by_label("Model", exact=True).select_option("codes")
        page.fill("#text", "good")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#verdict")).to_have_text("label 001")
        expect(page.locator("#bars li:visible")).to_have_count(24)
        page.get_by_role("button", name="Show all 40 labels").click()
        expect(page.locator("#bars li:visible")).to_have_count(40)
        expect(page.locator("#curl")).to_contain_text('"model":"codes"')
        assert watch.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_width_scrolls_sideways(visit: Callable[..., Opened], url: str, scheme: str, width: int) -> None:
    page, watch = visit(url, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.get_by_role("button", name="A long text").click()
    state(page).to_have_attribute("data-state", "done")
    assert no_sideways_scrolling(page)
    page.fill("#text", "Donaudampfschifffahrtsgesellschaft" * 20)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#read")).to_have_text("3 tokens, nothing cut")
    assert no_sideways_scrolling(page)
    assert watch.complaints == []


def test_dark_is_dark_and_light_is_light(visit: Callable[..., Opened], url: str) -> None:
    def ground(scheme: str) -> int:
        page, _ = visit(url, color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)))

    assert ground("dark") < 120 < 650 < ground("light")


def test_every_control_is_reached_by_tab_and_shows_it(visit: Callable[..., Opened], url: str) -> None:
    page, _ = visit(url)
    expect(page.get_by_role("button", name="Praise")).to_be_visible()
    seen = []
    for _ in range(10):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    examples = ["Praise", "Complaint", "Mixed", "Irony", "A long text"]
    assert seen == ["bertline", "API reference", "text", "Classify", *examples, "Copy"]


def test_the_curl_line_is_what_the_api_answers(visit: Callable[..., Opened], url: str) -> None:
    import json
    import shlex

    import httpx

    page, _ = visit(url)
    page.fill("#text", 'it\'s "good" \\ \n é $HOME')
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    command, target, *options = shlex.split(page.locator("#curl").inner_text().replace("\\\n", " "))
    assert (command, target) == ("curl", f"{url}/v1/predict")
    body = json.loads(options[options.index("-d") + 1])
    assert body == {"text": 'it\'s "good" \\ \n é $HOME'}
    assert httpx.post(target, json=body).status_code == 200


def test_the_api_reference_works_without_another_server(visit: Callable[..., Opened], url: str) -> None:
    page, watch = visit(url, "/docs")
    page.locator("#operations-predict-predict_v1_predict_post .opblock-summary-control").click()
    page.get_by_role("button", name="Execute").click()
    live_answer = page.locator(".live-responses-table tbody .response-col_status").first
    expect(live_answer).to_contain_text("200")
    assert watch.complaints == []
