"""Label on the page, in a real browser: a hundred texts by keyboard, two people at once, undo, and what goes wrong."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.service.perimeter import Perimeter
from bertline.testing.words import WordCounter
from tests.service.accessible import LOOKS, violations
from tests.service.browsing import Visit, no_sideways_scrolling
from tests.service.live import live, warm
from tests.service.postgres import new_database, postgres_url

__all__ = ["postgres_url"]
pytestmark = pytest.mark.browser

TEXTS = [f"a {'good' if place % 3 else 'bad'} film, number {place}" for place in range(100)]


@contextmanager
def labelling(store: str, texts: list[str], model: WordCounter | None = None, **settings: Any) -> Iterator[str]:
    """A server that has answered these texts and keeps them."""
    keeps: dict[str, Any] = {"text": True, **settings}
    models = {"reviews": model or WordCounter()}
    with (
        PredictionWriter(PredictionSettings(url=store, **keeps)) as writer,
        live(models, perimeter=Perimeter(predictions=writer)) as url,
    ):
        answers = httpx.post(f"{warm(url)}/v1/predict", json={"texts": texts}, timeout=60)
        assert answers.status_code == 200, answers.text
        deadline_s = time.monotonic() + 30
        while writer.written < len(texts):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        yield url


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", TEXTS[:12]) as one:
        yield one


def work(page: Page) -> Any:
    return page.locator("#view-label .work")


def text(page: Page) -> Any:
    return work(page).locator(".text")


def begun(visit: Visit, url: str, name: str = "Ana", **context: Any) -> Page:
    """The view, with the first text."""
    page, _ = visit(url, "/#label", **context)
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    expect(text(page)).not_to_be_empty()
    return page


def labelled(url: str) -> dict[str, str]:
    answer = httpx.get(f"{url}/v1/review/labels.csv")
    rows = csv.DictReader(io.StringIO(answer.text)) if answer.status_code == 200 else []
    return {row["text"]: row["label"] for row in rows}


def until_labelled(url: str, number: int) -> dict[str, str]:
    deadline_s = time.monotonic() + 30
    while len(found := labelled(url)) != number:
        assert time.monotonic() < deadline_s, len(found)
        time.sleep(0.05)
    return found


def key_of(page: Page) -> str:
    """Of the text that is shown; nobody types as fast as a test, which may have to wait for the next texts."""
    expect(text(page)).to_be_visible()
    return "2" if "good" in text(page).inner_text() else "1"


@pytest.mark.drill
def test_a_hundred_texts_by_keyboard_alone(visit: Visit, tmp_path: Path) -> None:
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", TEXTS) as url:
        page, watch = visit(url)
        expect(page.get_by_role("link", name="Label")).to_be_visible()
        page.keyboard.press("Tab")
        while page.evaluate("document.activeElement.textContent") != "Label":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Your name")).to_be_focused()
        page.keyboard.type("Ana")
        page.keyboard.press("Enter")
        expect(text(page)).not_to_be_empty()
        for number in range(100):
            page.keyboard.press(key_of(page))
            expect(work(page).locator(".said")).to_contain_text(f"{number + 1} label")
        expect(work(page)).to_contain_text("Nothing to label now")
        expect(page.get_by_role("complementary", name="Progress")).to_contain_text("100 labelled texts")
        assert labelled(url) == {one: "positive" if "good" in one else "negative" for one in TEXTS}
        assert httpx.get(f"{url}/v1/review").json()["annotators"] == [{"name": "Ana", "texts": 100}]
        with page.expect_download() as caught:
            page.get_by_role("link", name="Labels as CSV").click()
        assert len(caught.value.path().read_text(encoding="utf-8").splitlines()) == 101
        assert watch.complaints == []


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.drill)])
def test_two_people_at_once_never_see_the_same_text(
    visit: Visit, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    store = f"sqlite:///{tmp_path / 'p.db'}"
    if kind == "postgres":
        store = new_database(request.getfixturevalue("postgres_url"))
    with labelling(store, TEXTS[:24]) as url:
        pages = {name: begun(visit, url, name) for name in ("Ana", "Bo")}
        seen: dict[str, list[str]] = {"Ana": [], "Bo": []}
        for number in range(10):
            for name, page in pages.items():
                seen[name].append(text(page).inner_text())
                page.keyboard.press(key_of(page))
                expect(work(page).locator(".said")).to_contain_text(f"{number + 1} label")
        assert len({*seen["Ana"], *seen["Bo"]}) == 20
        assert [*until_labelled(url, 20)]


def test_undo_and_skip(visit: Visit, url: str) -> None:
    page = begun(visit, url)
    said = work(page).locator(".said")
    page.keyboard.press("u")
    expect(said).to_have_text("There is nothing to undo.")
    first = text(page).inner_text()
    page.keyboard.press("1")
    expect(said).to_have_text("Labelled negative. 1 label so far.")
    expect(text(page)).not_to_have_text(first)
    assert until_labelled(url, 1) == {first: "negative"}
    page.keyboard.press("u")
    expect(text(page)).to_have_text(first)
    expect(said).to_have_text("Took back negative.")
    until_labelled(url, 0)
    page.keyboard.press("s")
    expect(said).to_have_text("Skipped.")
    second = text(page).inner_text()
    assert second != first
    page.keyboard.press("2")
    assert until_labelled(url, 1) == {second: "positive"}
    other = begun(visit, url, "Bo")
    shown = set()
    for _ in range(10):
        shown.add(text(other).inner_text())
        other.keyboard.press("s")
    assert first in shown, "a skipped text is for others"


def test_what_the_model_says_is_shown_on_demand_only(visit: Visit, url: str) -> None:
    page = begun(visit, url)
    says = work(page).locator(".says")
    expect(says).to_be_empty()
    page.keyboard.press("m")
    expect(says).to_have_text(f"The model says {'positive' if key_of(page) == '2' else 'negative'}.")
    page.keyboard.press("1")
    expect(says).to_be_empty()
    page.keyboard.press("?")
    expect(work(page).get_by_role("heading", name="Keys")).to_be_visible()
    page.get_by_label("Single keys label").uncheck()
    before = text(page).inner_text()
    page.keyboard.press("1")
    page.wait_for_timeout(50)
    expect(text(page)).to_have_text(before)
    page.get_by_role("button", name="negative").click()
    expect(text(page)).not_to_have_text(before)


def test_a_label_that_fails_is_sent_again(visit: Visit, url: str) -> None:
    page = begun(visit, url)
    page.route("**/v1/feedback", lambda route: route.abort())
    first = text(page).inner_text()
    page.keyboard.press(key_of(page))
    alert = work(page).get_by_role("alert")
    expect(alert).to_contain_text("No connection")
    second = text(page).inner_text()
    page.keyboard.press(key_of(page))
    assert labelled(url) == {}
    page.unroute("**/v1/feedback")
    alert.get_by_role("button", name="Try again").click()
    assert set(until_labelled(url, 2)) == {first, second}
    expect(alert).to_have_count(0)


def test_several_labels_are_switched_and_confirmed(visit: Visit, tmp_path: Path) -> None:
    model = WordCounter(("sport", "money", "art"), several=True)
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", ["a good film", "a bad film"], model) as url:
        page = begun(visit, url)
        first = text(page).inner_text()
        page.keyboard.press("1")
        page.keyboard.press("3")
        expect(page.get_by_role("button", name="art")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="art")).to_have_attribute("aria-pressed", "false")
        found = until_labelled(url, 1)
        assert [*found] == [first]
        assert sorted(found[first].strip("[]").replace('"', "").replace(" ", "").split(",")) == ["art", "sport"]


def test_suspected_labels_and_agreement_are_shown(visit: Visit, tmp_path: Path) -> None:
    curve = {"rows": 300, "slope": {"value": -0.5, "low": -0.6, "high": -0.3}}
    model = WordCounter(metrics={"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}, "more_labels": curve})
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", TEXTS[:60], model) as url:
        texts = httpx.post(f"{url}/v1/review", json={"annotator": "Ana", "limit": 50}).json()["texts"]
        for name in ("Ana", "Bo"):
            items = [
                {
                    "request_id": one["request_id"],
                    "index": one["index"],
                    "correct": "positive" if "good" in one["texts"][0] else "negative",
                    "annotator": name,
                }
                for one in texts
            ]
            wrong = items[0]
            if name == "Ana":
                wrong["correct"] = "negative" if wrong["correct"] == "positive" else "positive"
            httpx.post(f"{url}/v1/feedback", json={"items": items[: 50 if name == "Ana" else 30]})
        httpx.post(f"{url}/v1/feedback", json={"items": [{**items[40], "correct": "negative", "annotator": "Ana"}]})
        progress = httpx.get(f"{url}/v1/review").json()
        page = begun(visit, url, "Cy")
        side = page.get_by_role("complementary", name="Progress")
        expect(side).to_contain_text("30 texts with labels of two people, the same on 29")
        expect(side).to_contain_text(f"Agreement (Krippendorff\u2019s alpha): {progress['agreement']['value']:.2f}")
        expect(side.locator(".people tr").first).to_contain_text("Ana50")
        expect(side).to_contain_text(
            "100 more labels of texts chosen at random would raise the accuracy by about 2.7 points (1.7 to 3.2)"
        )


def test_a_server_that_keeps_no_texts_says_how_to_start_it(visit: Visit, tmp_path: Path) -> None:
    with live({"reviews": WordCounter()}) as plain:
        page, _ = visit(warm(plain), "/#label")
        view = page.get_by_role("region", name="Label")
        expect(view).to_contain_text("This server keeps no predictions, so there is nothing to label")
        expect(view).to_contain_text("--predictions-url sqlite:///predictions.db --predictions-text")
        card, facts = (page.locator(one).bounding_box() for one in ("#view-label > .card", "#model-facts"))
        assert card is not None
        assert facts is not None
        assert card["y"] - facts["y"] - facts["height"] >= 20, "the card keeps its distance from what is above it"
        assert violations(page) == []
    with labelling(f"sqlite:///{tmp_path / 'p.db'}", TEXTS[:3], text=False) as url:
        page, _ = visit(url, "/#label")
        page.get_by_label("Your name").fill("Ana")
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Label")).to_contain_text("keeps predictions without their texts")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_and_no_width_scrolls_sideways(visit: Visit, url: str, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    page, _ = visit(url, "/#label", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    expect(page.get_by_label("Your name")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Your name").fill("Ana" * 40)
    page.keyboard.press("Enter")
    expect(text(page)).not_to_be_empty()
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.keyboard.press("?")
    expect(page.get_by_role("complementary", name="Progress")).to_contain_text("1 labelled text")
    assert violations(page) == []
    assert no_sideways_scrolling(page)
