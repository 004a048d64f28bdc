"""The page in a real browser: type, see the answer, see what went wrong; nothing comes from anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from pydantic import JsonValue

from bertline.service import ServeSettings
from bertline.testing.words import TOPICS, Gated, WordCounter
from tests.service.browsing import Visit, held, no_sideways_scrolling, state
from tests.service.live import live

pytestmark = pytest.mark.browser

METRICS: dict[str, JsonValue] = {"accuracy": {"value": 0.842, "low": 0.821, "high": 0.861}}
MARKUP = "<img src=x onerror=alert(1)><b>good</b>"
TOOK = re.compile(r"^[\d.,]+ m?s$")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter(max_tokens=64, metrics=METRICS)}) as one:
        yield one


def typed(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.keyboard.press("Control+Enter")


def test_type_submit_by_keyboard_and_see_every_label(visit: Visit, url: str) -> None:
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
    expect(page.locator("#answer .verdict")).to_have_text("positive 90.0\u202f%")
    expect(page.locator("#bars li")).to_have_text(["positive90.0\u202f%", "negative10.0\u202f%"])
    expect(page.locator("#read")).to_have_text("5 tokens, nothing cut")
    expect(page.locator("#cut")).to_be_hidden()
    expect(page.locator("#spoken")).to_have_text("positive, 90.0\u202f%. 5 tokens, nothing cut.")
    assert watch.complaints == []


def test_where_the_time_went_adds_up(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    with page.expect_response("**/v1/predict") as came:
        typed(page, "a good film")
    header = came.value.headers["server-timing"]
    measured = dict(re.findall(r"(\w+);dur=([\d.]+)", header))
    assert list(measured) == ["tokenise", "waiting", "inference"]
    state(page).to_have_attribute("data-state", "done")
    for part, value in measured.items():
        shown = page.locator(f"#{part}-took")
        expect(shown).to_have_text(TOOK)
        if float(value) < 9.9:  # half a tenth is rounded up on the page, and to the even one here
            assert float(shown.inner_text().removesuffix(" ms")) == pytest.approx(float(value), abs=0.0501)
    total, rest = (page.locator(one).inner_text() for one in ("#took", "#rest-took"))
    assert all(map(TOOK.match, (total, rest)))
    if total.endswith(" ms") and rest.endswith(" ms"):  # a busy machine may need seconds
        assert float(total[:-3]) == pytest.approx(float(rest[:-3]) + sum(map(float, measured.values())), abs=1.1)


def test_an_example_is_answered_with_one_click_and_a_long_one_shows_its_truncation(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    page.get_by_role("button", name="A long text").click()
    expect(page.locator("#cut")).to_have_text(
        re.compile(r"^The text is longer than the model can read: 64 tokens read, \d+ cut\.$")
    )
    expect(page.locator("#read")).to_have_text(re.compile(r"^64 tokens, \d+ cut$"))
    page.get_by_role("button", name="Praise").click()
    expect(page.locator("#cut")).to_be_hidden()
    assert watch.complaints == []


def test_markup_stays_text(visit: Visit) -> None:
    with live({MARKUP: WordCounter(("<i>no</i>", MARKUP))}) as url:
        page, watch = visit(url)
        expect(page.locator("h1")).to_have_text(MARKUP)
        typed(page, f"good {MARKUP}")
        expect(page.locator("#verdict")).to_have_text(MARKUP)
        expect(page.locator("#code")).to_contain_text("<img src=x onerror=alert(1)>")
        page.get_by_role("radio", name="Several").check()
        page.get_by_role("button", name="Classify 1 text").click()
        expect(page.locator("#texts .excerpt")).to_have_text(f"good {MARKUP}")
        page.locator("#texts summary").click()
        assert page.locator("main img, main b, main i").count() == 0
        assert watch.complaints == []


def test_a_refusal_is_shown_in_the_words_of_the_server(visit: Visit) -> None:
    with live({"reviews": WordCounter()}, ServeSettings(max_chars=10, drain_s=0)) as url:
        page, _ = visit(url)
        page.fill("#text", "x" * 11)
        expect(page.locator("#count")).to_have_text("11 of 10 characters")
        page.get_by_role("button", name="Classify").click()
        alert = page.locator("#error")
        expect(alert).to_contain_text("This text was not accepted")
        expect(alert).to_contain_text("The text has 11 characters and the limit is 10: send a part of it.")
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()
        page.fill("#text", "good")
        expect(page.locator("#count")).to_be_hidden()
        page.keyboard.press("Control+Enter")
        state(page).to_have_attribute("data-state", "done")


def test_a_body_that_is_too_large(visit: Visit) -> None:
    with live({"reviews": WordCounter()}, ServeSettings(max_body_bytes=1024, drain_s=0)) as url:
        page, _ = visit(url)
        typed(page, "good " * 500)
        expect(page.locator("#error")).to_contain_text("Too much for one request")
        expect(page.locator("#error")).to_contain_text("The body has more than 1,024 bytes")


def test_an_empty_text_is_not_sent(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    expect(page.locator("#model-facts")).to_contain_text("2 labels")
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#error")).to_contain_text("There is no text yet")
    assert watch.complaints == []  # a refused request would be one


def test_a_failing_server_and_an_unreachable_one(visit: Visit) -> None:
    with live({"reviews": WordCounter()}) as url:
        page, _ = visit(url)
        typed(page, "fail")
        expect(page.locator("#error")).to_contain_text("The server failed")
        expect(page.locator("#error")).to_contain_text("an index is out of bounds")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        page.fill("#text", "good")
        page.get_by_role("button", name="Try again").click()
        state(page).to_have_attribute("data-state", "done")
    typed(page, "good")
    expect(page.locator("#error")).to_contain_text("The server does not answer. Is it still running?")


def test_a_text_that_kills_the_process_and_a_model_that_starts_again(visit: Visit) -> None:
    with live({"reviews": WordCounter()}) as url:
        page, _ = visit(url)
        warming = False
        body = '{"error": {"code": "not_ready", "message": "The models are warming up.", "field": null}}'

        def between(route: Route) -> None:
            route.fulfill(status=503, body=body) if warming else route.continue_()

        page.route("**/v1/predict", between)  # from the start: one that is put there later may miss a request
        typed(page, "die")
        expect(page.locator("#error")).to_contain_text("cannot compute the text: its process died twice")
        typed(page, "good")
        state(page).to_have_attribute("data-state", "done")
        warming = True
        page.keyboard.press("Control+Enter")
        expect(page.locator("#error")).to_contain_text("The model is not ready")
        warming = False
        page.get_by_role("button", name="Try again").click()
        state(page).to_have_attribute("data-state", "done")


def test_an_answer_of_something_in_between_is_refused_in_words(visit: Visit, url: str) -> None:
    page, _ = visit(url)

    def proxy(route: Route) -> None:
        route.fulfill(status=int(page.locator("#text").input_value()), body="<h1>nginx</h1>")

    page.route("**/v1/predict", proxy)
    for status, title in ((200, "No answer"), (502, "The server failed"), (429, "The server is busy")):
        typed(page, str(status))
        expect(page.locator("#error-title")).to_have_text(title)
    expect(page.locator("#error-message")).to_have_text("The server refused with status 429.")


def test_a_page_opened_before_the_models_load_retries_by_itself(visit: Visit) -> None:
    model = Gated()
    with live({"slow": model}) as url:
        assert model.entered.wait(timeout=30)
        page, _ = visit(url)
        expect(page.locator("#error")).to_contain_text("The models are warming up")
        model.gate.set()
        expect(page.locator("h1")).to_have_text("slow")
        state(page).to_have_attribute("data-state", "empty")


def test_a_slow_answer_shows_that_it_is_awaited_and_the_last_request_wins(visit: Visit) -> None:
    model = Gated()
    with live({"slow": model}) as url, held(model):
        page, _ = visit(url)
        expect(page.locator("h1")).to_have_text("slow")
        model.gate.clear()
        typed(page, "good")
        expect(page.get_by_text("Reading…")).to_be_visible()
        model.gate.set()
        state(page).to_have_attribute("data-state", "done")
        expect(page.get_by_text("Reading…")).to_be_hidden()
        model.gate.clear()
        typed(page, "bad bad")
        state(page).to_have_attribute("data-state", "waiting")
        state(page).to_have_attribute("aria-busy", "true")
        typed(page, "good good good")
        model.gate.set()
        expect(page.locator("#answer .verdict")).to_have_text("positive 96.2\u202f%")
        assert page.locator("#answer").get_attribute("aria-busy") is None


def test_several_models_and_many_labels(visit: Visit) -> None:
    many = [f"label {number:03}" for number in range(40)]
    models = {"topics": WordCounter(TOPICS), "reviews": WordCounter(), "codes": WordCounter(many)}
    with live(models) as url:
        page, watch = visit(url, viewport={"width": 360, "height": 740})
        page.get_by_role("button", name="News").click()
        expect(page.locator("#bars li:visible")).to_have_count(20)
        assert no_sideways_scrolling(page)
        page.get_by_label("Model", exact=True).select_option("codes")
        typed(page, "good")
        expect(page.locator("#verdict")).to_have_text("label 001")
        expect(page.locator("#bars li:visible")).to_have_count(24)
        page.get_by_role("button", name="Show all 40 labels").click()
        expect(page.locator("#bars li:visible")).to_have_count(40)
        expect(page.locator("#code")).to_contain_text('"model":"codes"')
        assert watch.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_no_width_scrolls_sideways(visit: Visit, url: str, scheme: str, width: int) -> None:
    page, watch = visit(url, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.get_by_role("button", name="A long text").click()
    state(page).to_have_attribute("data-state", "done")
    assert no_sideways_scrolling(page)
    typed(page, "Donaudampfschifffahrtsgesellschaft" * 20)
    expect(page.locator("#read")).to_have_text("3 tokens, nothing cut")
    for language in ("Python", "JavaScript", "curl"):
        page.get_by_role("tab", name=language).click()
        assert no_sideways_scrolling(page)
    page.get_by_role("radio", name="Several").check()
    page.get_by_role("button", name="4 examples").click()
    page.locator("#texts summary").first.click()
    assert no_sideways_scrolling(page)
    page.get_by_role("radio", name="CSV file").check()
    page.get_by_role("button", name="An example file").click()
    page.get_by_role("button", name="Score 4 rows").click()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    assert no_sideways_scrolling(page)
    assert watch.complaints == []


def test_dark_is_dark_and_light_is_light(visit: Visit, url: str) -> None:
    def ground(scheme: str) -> int:
        page, _ = visit(url, color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)))

    assert ground("dark") < 120 < 650 < ground("light")


def test_reduced_motion_is_respected(visit: Visit, url: str) -> None:
    moving = """() => [...document.querySelectorAll("*")].filter((one) => {
      const { transitionDuration, animationName } = getComputedStyle(one);
      return transitionDuration.split(", ").some((time) => parseFloat(time) > 0) || animationName !== "none";
    }).length"""
    page, _ = visit(url)
    typed(page, "good")
    state(page).to_have_attribute("data-state", "done")
    assert page.evaluate(moving) > 0
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == 0


def test_every_control_is_reached_by_tab_and_shows_it(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    expect(page.get_by_role("button", name="Praise")).to_be_visible()
    seen = []
    for _ in range(21):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("""() => {
              const { id, value, textContent } = document.activeElement;
              return id || value || textContent.trim();
            }""")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    examples = ["Praise", "Complaint", "Mixed", "Irony", "A long text"]
    controls = ["text", "text", "truncation", "submit"]  # the kind of question, the text itself, and so on
    views = ["Try", "Explain", "Anatomy", "Compare", "Label", "Scan", "Watch"]
    assert seen == ["bertline", *views, "API reference", *controls, *examples, "tab-curl", "copy", "snippet"]


def test_the_arrow_keys_choose_the_mode(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.get_by_role("radio", name="One text").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Texts, one per line")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_api_reference_works_without_another_server(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/docs")
    page.locator("#operations-predict-predict_v1_predict_post .opblock-summary-control").click()
    page.get_by_role("button", name="Execute").click()
    live_answer = page.locator(".live-responses-table tbody .response-col_status").first
    expect(live_answer).to_contain_text("200")
    assert watch.complaints == []
