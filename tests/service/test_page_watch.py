"""Watch on the page, in a real browser: versions, rollback after a question, live accuracy, figures, empty states."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.bundle.verify import read_manifest
from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, add_accuracy_check
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.service.perimeter import Perimeter
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import WordCounter
from tests.registered import begun, following, new_registry
from tests.service.accessible import LOOKS, violations
from tests.service.browsing import Visit, no_sideways_scrolling
from tests.service.live import live, warm
from tests.service.spawn import spawned

pytestmark = pytest.mark.browser


LINES = """one => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return range.getClientRects().length;
}"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter()}) as one:
        yield warm(one)


def card(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_without_anything_each_card_says_what_is_missing(visit: Visit, url: str, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    page, _ = visit(url, "/#watch", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    expect(card(page, "Versions")).to_contain_text("There is no earlier version on this server to roll back to.")
    expect(card(page, "Rollout")).to_contain_text("No rollout yet.")
    expect(card(page, "Live accuracy")).to_contain_text("start it with --predictions-url.")
    expect(card(page, "This server since its start")).to_contain_text("No request to this model has been answered yet.")
    assert violations(page) == []
    assert no_sideways_scrolling(page)


def test_live_accuracy_and_figures(visit: Visit, tmp_path: Path) -> None:
    settings = PredictionSettings(url=f"sqlite:///{tmp_path / 'p.db'}")
    with (
        PredictionWriter(settings) as writer,
        live({"reviews": (model := WordCounter())}, perimeter=Perimeter(predictions=writer)) as url,
    ):
        digest, since_ms = read_manifest(model.bundle).checksum, now_ms() - 3_600_000
        add_accuracy_check(
            writer.store, AccuracyCheck("reviews", digest, now_ms(), 640, 0.843, 0.912, dropped=True, since_ms=since_ms)
        )
        body = {"texts": ["good", "bad", "good", "bad"]}
        httpx.post(f"{warm(url)}/v1/predict", json=body, headers={"X-Request-Id": "r"})
        deadline_s = time.monotonic() + 30
        while writer.written < 4:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        items = [{"request_id": "r", "index": place, "correct": "positive"} for place in range(4)]
        httpx.post(f"{url}/v1/feedback", json={"items": items})
        page, watch = visit(url, "/#watch")
        expect(card(page, "Live accuracy")).to_contain_text("50.0\u202f% (15.0\u202f% to 85.0\u202f%)")
        expect(card(page, "Live accuracy").locator("strong")).to_have_text(
            re.compile(
                r"Accuracy dropped: 84\.3\s% of the answers since .+ were right, at least 91\.2\s% was expected\."
            )
        )
        expect(card(page, "Live accuracy")).to_contain_text(re.compile(r"Tested .+ on 640 answers\."))
        figures = card(page, "This server since its start")
        expect(figures).to_contain_text("1, with 4 texts")
        expect(figures).to_contain_text("Mean confidence90.0\u202f%")
        expect(figures).to_contain_text(re.compile(r"Cost\d[\d.,]* m?s of a core for 1,000 texts"))
        page.set_viewport_size({"width": 320, "height": 900})
        version = card(page, "Live accuracy").locator("th code")
        assert version.evaluate("one => one.getClientRects().length") == 1, "a version is in one piece"
        assert watch.complaints == []


def test_a_refusal_of_one_card_leaves_the_others(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    error = {"code": "insufficient_scope", "message": "The scope metrics is missing."}
    page.route("**/metrics", lambda route: route.fulfill(status=403, json={"error": error}))
    page.get_by_role("link", name="Watch", exact=True).click()
    alert = card(page, "This server since its start").get_by_role("alert")
    expect(alert).to_contain_text("The scope metrics is missing.")
    expect(card(page, "Versions")).to_contain_text("Answers now")


def test_a_server_that_is_asked_before_it_is_ready_has_failed_at_nothing(visit: Visit, url: str) -> None:
    metrics = """
bertline_requests_total{model="reviews",op="predict",size="single"} 9.0
bertline_http_requests_total{method="GET",route="/health/ready",status="503"} 4.0
bertline_http_requests_total{method="POST",route="/v1/predict",status="429"} 3.0
bertline_http_requests_total{method="POST",route="/v1/predict",status="500"} 2.0
"""
    page, _ = visit(url)
    page.route("**/metrics", lambda route: route.fulfill(status=200, content_type="text/plain", body=metrics))
    page.get_by_role("link", name="Watch", exact=True).click()
    expect(card(page, "This server since its start")).to_contain_text("Failed, all models2")


def test_a_model_is_rolled_back_after_a_question(visit: Visit, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        write_tiny_bundle(tmp_path / name, engine=True, seed=seed)
    with spawned(f"films={tmp_path / 'one'}") as server:
        address = f"{server.url}/admin/models/films"
        first = httpx.get(address).json()["current"]["version"]
        answer = httpx.put(address, json={"bundle": str(tmp_path / "two")}, timeout=60)
        assert answer.status_code == 200, answer.text
        second = answer.json()["current"]["version"]
        page, watch = visit(server.url, "/#watch")
        versions = card(page, "Versions")
        versions.get_by_role("button", name="Roll back…").click()
        dialog = page.get_by_role("dialog", name="Roll back")
        expect(dialog).to_contain_text(f"Roll back to version {first}?")
        assert violations(page) == []
        dialog.get_by_role("button", name="Cancel").click()
        assert httpx.get(address).json()["current"]["version"] == second
        versions.get_by_role("button", name="Roll back…").click()
        dialog.get_by_role("button", name="Roll back").click()
        expect(dialog).to_have_count(0)
        expect(versions.locator(".version code").first).to_have_text(first)
        assert httpx.get(address).json()["current"]["version"] == first
        assert all("404" in one for one in watch.complaints), "no store of predictions, and nothing else"


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_a_rollout_of_the_registry_is_seen_and_ended(visit: Visit, tmp_path: Path, scheme: str, width: int) -> None:
    registry = new_registry(tmp_path)
    begun(registry, "shadow", "5", "50", "100")
    with live({"reviews": WordCounter()}, following=following(registry)) as url:
        viewport = {"width": width, "height": 900}
        page, watch = visit(warm(url), "/#watch", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
        rollout = card(page, "Rollout")
        expect(rollout).to_contain_text("The rollout of reviews:2 is going on.")
        expect(rollout.get_by_role("list", name="Steps").get_by_role("listitem")).to_have_text(
            ["shadow", "5\u202f%", "50\u202f%", "100\u202f%"]
        )
        expect(rollout.locator("[aria-current=step]")).to_have_text("shadow")
        expect(rollout).to_contain_text("the registry, for all its servers")
        expect(rollout.get_by_role("row", name="Challenger")).to_have_text("Challenger1510")
        words = [one for one in rollout.locator("th").all() if " " not in one.inner_text()]
        assert [one.evaluate(LINES) for one in words] == [1] * 5, "no word is broken"
        assert violations(page) == []
        assert no_sideways_scrolling(page)
        rollout.get_by_role("button", name="End the rollout…").click()
        dialog = page.get_by_role("dialog", name="End the rollout")
        expect(dialog).to_contain_text("answers everything again, on every server.")
        dialog.get_by_role("button", name="End the rollout").click()
        expect(rollout).to_contain_text("The rollout of reviews:2 was ended by hand.")
        expect(rollout.get_by_role("button")).to_have_count(0)
        assert all("404" in one for one in watch.complaints), "no store of predictions, and nothing else"
