"""A model over time, over HTTP and as lines on the page's view Watch."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.database.database import Database
from bertline.lifecycle.predictions import history as module
from bertline.lifecycle.predictions.checks import DriftCheck, add_check
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.service import history_desk
from bertline.service.guard.client import Scope
from bertline.service.guard.scopes import required_scopes
from bertline.service.history_desk import HistoryDesk
from bertline.service.perimeter import Perimeter
from bertline.testing.words import WordCounter
from tests.kept import HOUR_MS, NEW, OLD, keep, store_in, sure
from tests.service.accessible import LOOKS, violations
from tests.service.browsing import Visit, no_sideways_scrolling
from tests.service.live import live, warm

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[PredictionWriter]:
    with store_in(tmp_path):  # its tables are there before the first test writes
        pass
    with PredictionWriter(PredictionSettings(url=f"sqlite:///{tmp_path / 'predictions.db'}")) as one:
        yield one


@pytest.fixture
def url(writer: PredictionWriter) -> Iterator[str]:
    with live({"reviews": WordCounter()}, perimeter=Perimeter(predictions=writer)) as one:
        yield warm(one).rstrip("/")


def fill(store: Database, *, versions: tuple[str, ...] = (OLD, NEW), level: float | None = 0.05) -> None:
    """A week in which the second version takes over, gets worse and drifts."""
    now = now_ms()
    for ago in range(6, -1, -1):
        for place, digest in enumerate(versions):
            number = (ago + 1 if place == 0 else 8 - ago) * 4
            request = f"{ago}-{place}-"
            answers = [sure("good", 0.95 - 0.02 * (6 - ago))] * number
            keep(store, answers, request=request, digest=digest, at_ms=now - ago * DAY_MS - HOUR_MS)
            wrong = (6 - ago) // 2
            said = [Feedback(f"{request}{one}", "bad" if one < wrong else "good") for one in range(number)]
            receive(store, said)
        p = 10 ** (-0.3 * (6 - ago))
        add_check(
            store, DriftCheck("reviews", now - ago * DAY_MS, 200, "texts" if p < 0.05 else "none", {"a": p}, 0.9, level)
        )


def test_the_steps_the_versions_and_the_checks(url: str, writer: PredictionWriter) -> None:
    fill(writer.store)
    answer = httpx.get(f"{url}/v1/models/reviews/history", params={"days": 30})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["model"], found["step_s"], len(found["steps"])) == ("reviews", 86_400, 31)
    assert sum(one["texts"] for one in found["steps"]) == 252
    versions: dict[str, int] = {}
    for one in found["steps"]:
        for version, number in one["versions"].items():
            versions[version] = versions.get(version, 0) + number
    assert versions == {OLD[:12]: 112, NEW[:12]: 140}
    assert sum(one["judged"] for one in found["steps"]) == 252
    for one in found["steps"]:
        assert (one["accuracy"] is None) == (one["judged"] == 0)
        if one["accuracy"]:
            assert one["accuracy"]["low"] < one["accuracy"]["value"] <= one["accuracy"]["high"]
    assert [one["found"] for one in found["checks"]] == ["none"] * 5 + ["texts"] * 2
    assert found["checks"][-1]["p_value"] == pytest.approx(10**-1.8)
    assert {one["level"] for one in found["checks"]} == {0.05}
    last = datetime.fromisoformat(found["steps"][-1]["at"])
    assert 0 <= (datetime.now(UTC) - last).total_seconds() <= 86_400


def test_it_is_read_anew_only_after_a_while(writer: PredictionWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(history_desk, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    desk = HistoryDesk(writer.store)

    def texts(days: int = 7) -> int:
        found = asyncio.run(desk.of("reviews", days))
        return sum(number for one in found.steps for number in one.texts.values())

    keep(writer.store, [sure("good")] * 3)
    assert texts() == 3
    keep(writer.store, [sure("good")] * 2, request="later")
    clock[0] += 19.0
    assert (texts(), texts(1)) == (3, 5)
    clock[0] += 2.0
    assert texts() == 5
    reading = module.history

    def slow(*given: Any) -> Any:
        clock[0] += 10.0
        return reading(*given)

    monkeypatch.setattr(module, "history", slow)
    clock[0] += 100.0
    assert texts() == 5
    keep(writer.store, [sure("good")], request="last")
    clock[0] += 199.0
    assert texts() == 5
    clock[0] += 2.0
    assert texts() == 6


def test_days_are_rounded_up_to_a_few_spans(writer: PredictionWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[int] = []
    reading = module.history

    def noted(store: Database, model: str, days: int, now_s: float) -> Any:
        spans.append(days)
        return reading(store, model, days, now_s)

    monkeypatch.setattr(module, "history", noted)
    desk = HistoryDesk(writer.store)

    async def ask() -> None:
        for days in (1, 2, 6, 7, 8, 30, 31, 90, 91, 365, 366):
            await desk.of("reviews", days)

    asyncio.run(ask())
    assert spans == [1, 7, 30, 90, 366]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("reviews/history?days=0", 422, "days must be at least 1."),
        ("reviews/history?days=400", 422, "days must be at most 366."),
        ("films/history", 404, "There is no model of that name: valid names are reviews."),
    ],
)
def test_what_is_refused(url: str, path: str, status: int, message: str) -> None:
    answer = httpx.get(f"{url}/v1/models/{path}")
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


def test_a_server_without_a_store_says_so() -> None:
    with live({"reviews": WordCounter()}) as one:
        answer = httpx.get(f"{warm(one)}/v1/models/reviews/history")
    assert (answer.status_code, "start it with --predictions-url." in answer.text) == (404, True)


def test_it_has_the_scope_of_metrics() -> None:
    assert required_scopes("/v1/models/reviews/history") == frozenset({Scope.METRICS})


# ---------------------------------------------------------------------------------------------------- on the page


def over_time(page: Page) -> Any:
    return page.get_by_role("region", name="Over time", exact=True)


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_watch_draws_lines_and_has_their_numbers(
    visit: Visit, url: str, writer: PredictionWriter, scheme: str, width: int
) -> None:
    fill(writer.store)
    viewport = {"width": width, "height": 900}
    page, watch = visit(url, "/#watch", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    expect(over_time(page).locator(".u-over")).to_have_count(4)
    expect(over_time(page).locator("canvas")).to_have_count(4)
    said = over_time(page).get_by_role("img")
    for place, start in enumerate(
        (
            "Accuracy by feedback over time, from 100.0\u202f% to ",
            "Mean confidence over time, from 95.0\u202f% to 83.0\u202f%",
            f"Share of the texts that each version answered, over time: {NEW[:12]} from ",
            "Smallest p-value of 7 checks for drift over time, from 1.00 to 0.016; 2 checks found drift.",
        )
    ):
        label = said.nth(place).get_attribute("aria-label")
        assert label is not None
        assert label.startswith(start)
    over_time(page).get_by_text("Numbers of 252 texts").click()
    rows = page.get_by_role("region", name="Table: The model over time").locator("tbody tr")
    expect(rows).to_have_count(7)
    expect(rows.last.locator("td").nth(2)).to_have_text("83.0\u202f%")
    over_time(page).get_by_text("Numbers of 7 drift checks").click()
    checks = page.get_by_role("region", name="Table: Checks for drift").locator("tbody tr")
    expect(checks.locator("td:nth-child(3)")).to_have_text([*["nothing"] * 5, *["other texts"] * 2])
    expect(checks.locator("td:nth-child(5)")).to_have_text(["0.05"] * 7)
    assert violations(page) == []
    assert no_sideways_scrolling(page)
    assert watch.complaints == []


@pytest.mark.browser
def test_a_span_is_chosen_and_an_open_table_stays_open(visit: Visit, url: str, writer: PredictionWriter) -> None:
    fill(writer.store, versions=(NEW,))
    page, watch = visit(url, "/#watch")
    expect(over_time(page).get_by_role("heading", name="Texts")).to_be_visible()
    over_time(page).get_by_text("Numbers of 112 texts").click()
    with page.expect_response("**/v1/models/reviews/history?days=1"):
        over_time(page).get_by_label("Time", exact=True).select_option("1")
    expect(over_time(page).get_by_text("Numbers of 4 texts")).to_be_visible()
    expect(over_time(page).get_by_text("Each point is an hour; the last one is not over.")).to_be_visible()
    expect(over_time(page).get_by_role("status")).to_have_text(re.compile("^Last 24 hours: 4 texts, . drift "))
    expect(page.get_by_role("region", name="Table: The model over time")).to_be_visible()
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("link", name="Watch", exact=True).click()
    expect(over_time(page).get_by_label("Time", exact=True)).to_have_value("1")
    assert watch.complaints == []


# Notes the times that charts write at their axes in UTC.
TICKS = """
window.ticks = [];
const { get } = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, "format");
Object.defineProperty(Intl.DateTimeFormat.prototype, "format", { get() {
  const format = get.call(this);
  const utc = this.resolvedOptions().timeZone === "UTC";
  return (at) => { if (utc && typeof at === "number") ticks.push(at / 1000); return format(at); };
} });
"""


@pytest.mark.browser
def test_steps_of_whole_days_have_the_dates_of_utc(visit: Visit, url: str, writer: PredictionWriter) -> None:
    fill(writer.store)
    page, watch = visit(url, "/#watch", timezone_id="America/Los_Angeles")  # where they begin the day before
    page.add_init_script(TICKS)
    page.reload()
    expect(over_time(page).get_by_role("status")).to_have_text("")
    over_time(page).get_by_label("Time", exact=True).select_option("30")
    said = (
        "Each point is a day from 00:00 UTC; the last one is not over. Times of drift checks are those of this browser."
    )
    expect(over_time(page).get_by_text(said)).to_be_visible()
    expect(over_time(page).get_by_role("status")).to_have_text("Last 30 days: 252 texts, 7 drift checks.")
    expect(over_time(page).get_by_text("0.05, the level of the checks", exact=True)).to_be_visible()
    steps = httpx.get(f"{url}/v1/models/reviews/history?days=30").json()["steps"]
    days = [datetime.fromisoformat(one["at"]) for one in steps if one["texts"]]
    over_time(page).get_by_text("Numbers of 252 texts").click()
    dates = page.get_by_role("region", name="Table: The model over time").locator("tbody th")
    expect(dates).to_have_text([f"{one.day} {one:%b}" for one in days])
    page.wait_for_function("ticks.length > 0")
    assert {at_s % 86_400 for at_s in page.evaluate("ticks")} == {0}
    assert watch.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("levels", "words", "cells"),
    [
        ((0.01, 0.2), "level of each check, 0.01 to 0.2", ["0.01", "0.2"]),
        ((None, 0.01), "0.01, the level of the checks", ["unknown", "0.01"]),
        ((None, None), None, ["unknown"] * 2),
    ],
)
def test_drift_is_shown_with_the_level_of_its_checks(
    visit: Visit,
    url: str,
    writer: PredictionWriter,
    levels: tuple[float | None, ...],
    words: str | None,
    cells: list[str],
) -> None:
    for hours, level in zip((3, 2), levels, strict=True):
        add_check(writer.store, DriftCheck("reviews", now_ms() - hours * HOUR_MS, 200, "none", {"a": 0.3}, 0.9, level))
    page, watch = visit(url, "/#watch")
    drift = over_time(page).get_by_role("img", name="Smallest p-value of 2 checks for drift")
    expect(drift).to_have_accessible_name(re.compile(words) if words else re.compile("^((?!dashed).)*$"))
    expect(over_time(page).get_by_text(words or "level of", exact=bool(words))).to_have_count(int(words is not None))
    over_time(page).get_by_text("Numbers of 2 drift checks").click()
    rows = page.get_by_role("region", name="Table: Checks for drift").locator("tbody tr")
    expect(rows.locator("td:nth-child(5)")).to_have_text(cells)
    assert watch.complaints == []


@pytest.mark.browser
def test_without_a_store_the_card_says_how_to_get_one(visit: Visit) -> None:
    with live({"reviews": WordCounter()}) as one:
        page, _ = visit(warm(one), "/#watch")
        expect(over_time(page)).to_contain_text("so it has no history: start it with --predictions-url.")


@pytest.mark.browser
def test_an_empty_store_has_no_lines(visit: Visit, url: str) -> None:
    page, watch = visit(url, "/#watch")
    expect(over_time(page)).to_contain_text("No text was answered and kept in this time.")
    assert watch.complaints == []
