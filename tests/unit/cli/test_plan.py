"""The command as one types it: the answer first, then the table and what it assumes; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli.plan import EPILOG, register
from bertline.deploy.capacity.plan import Impossible
from bertline.deploy.capacity.service_times import Knot, ServiceTimes
from bertline.deploy.measured import ServerFigures
from bertline.errors import BertlineError, DestinationError, SettingsError, UsageError
from bertline.testing.tiny import write_tiny_bundle

app = typer.Typer(pretty_exceptions_enable=False)
register(app)

# 10 ms a text of any length, so that a core answers 100 of them a second at most.
KNOT = Knot(tokens=10, rows=1, one_s=0.01, full_s=0.01, alone_s=0.01)
TIMES = ServiceTimes(
    engine="fp32", processor="a processor", cores=2, batch_tokens=4, knots=(KNOT,), memory_mb=800.0, start_s=3.0
)
PRICES = """
currency = "EUR"
region = "here"
date = 2026-11-01
source = "a test"
[[machine]]
name = "small"
cores = 1
memory_gb = 2
price_per_hour = 0.10
[[machine]]
name = "large"
cores = 4
memory_gb = 2  # room for two replicas of 1,000 MB
price_per_hour = 0.25
"""
FLAT = [one for _ in range(24) for one in ("--day", 100)]


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


def bertline(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)], env={"COLUMNS": "160"})


def failure(*arguments: object) -> BertlineError:
    error = bertline(*arguments).exception
    assert isinstance(error, BertlineError), error
    return error


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, texts, prices, and measurements."""
    place = tmp_path_factory.mktemp("plan")
    write_tiny_bundle(place / "tiny", engine=True)
    (place / "texts.txt").write_text("good film\nbad film\n", encoding="utf-8")
    (place / "prices.toml").write_text(PRICES, encoding="utf-8")
    (place / "times.json").write_text(json.dumps({"times": [TIMES.model_dump(mode="json")]}), encoding="utf-8")
    return place


def asked(place: Path, *arguments: object, rps: float = 120, p99_ms: float = 60) -> list[object]:
    return [
        *(place / "tiny", "--rps", rps, "--p99-ms", p99_ms, "--texts", place / "texts.txt"),
        *("--measured", place / "times.json", "--replica-cores", 1, "--simulated-requests", 200, *arguments),
    ]


@pytest.fixture(scope="module")
def planned(place: Path) -> tuple[Result, dict[str, Any]]:
    prices, page = place / "prices.toml", place / "plan.html"
    result = bertline(*asked(place, "--prices", prices, "--out", page, "--json", *FLAT))
    assert result.exit_code == 0, result.output
    return result, json.loads(result.stdout)


def test_the_help_has_the_example() -> None:
    assert EPILOG in " ".join(bertline("--help").output.split())


def test_the_first_line_answers_the_question(planned: tuple[Result, dict[str, Any]]) -> None:
    result, found = planned
    best = found["options"][0]
    assert result.stderr.splitlines()[0] == found["answer"]
    assert best["machine"] == "small"  # two small ones cost 0.20, a large one 0.25
    money = best["machines"] * 0.10 * 730
    assert found["answer"].startswith(
        f"120 requests/s under 60 ms p99 take {best['replicas']} replicas of 1 core (fp32, predicted p99 "
        f"{best['p99_ms']:.0f} ms) on {best['machines']} × small: EUR {money:,.0f} a month"
    )
    assert "a processor, 2 cores" in result.stderr


def test_the_load_is_met_with_as_few_as_that_takes(planned: tuple[Result, dict[str, Any]]) -> None:
    best = planned[1]["options"][0]
    assert best["replicas"] == 2  # one core answers 100 a second at most
    assert best["p50_ms"] >= 10
    assert best["p99_ms"] <= 60
    assert best["busy_ratio"] == pytest.approx(1.2 / best["replicas"], rel=0.15)
    assert best["replica_memory_mb"] == 1000


def test_replicas_share_machines_as_far_as_memory_allows(planned: tuple[Result, dict[str, Any]]) -> None:
    large = next(one for one in planned[1]["options"] if one["machine"] == "large")
    assert large["machines"] == -(-large["replicas"] // 2)


def test_json_has_what_a_chart_reads(planned: tuple[Result, dict[str, Any]]) -> None:
    measured, best = dict(planned[1]["measured"]), planned[1]["options"][0]
    assert ServerFigures.model_validate(planned[1]).throughput_rps == measured["throughput_rps"]
    assert measured.pop("in_flight") >= 1
    assert measured.pop("date") >= "2026-11-29"
    assert measured == {
        "throughput_rps": pytest.approx(120 * 1.2 / best["replicas"], abs=0.01),
        "load_s": 3.0,
        "memory_bytes": 800 * 2**20,
        "threads": 1,
        "engine": "fp32",
        "machine": "a processor, 2 cores",
    }


def test_a_month_of_the_peak_is_its_price(planned: tuple[Result, dict[str, Any]]) -> None:
    found = planned[1]
    assert found["per_month_scaled"] == pytest.approx(found["options"][0]["per_month"])
    million = found["options"][0]["per_month"] / (120 * 3600 * 730) * 1e6
    assert found["per_million_requests"] == pytest.approx(million)
    assert [one["rps"] for one in found["day"]] == [120.0] * 24


def test_the_page_needs_nothing_else(place: Path, planned: tuple[Result, dict[str, Any]]) -> None:
    page = (place / "plan.html").read_text(encoding="utf-8")
    assert planned[1]["answer"] in page
    assert page.count("<svg") == 3
    assert "http:" not in page
    assert "https:" not in page


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rps": 0}, "--rps is 0.0: input should be greater than 0"),
        ({"rps": "nan"}, "--rps is nan: input should be a finite number"),
        ({"p99_ms": -1}, "--p99-ms is -1.0: input should be greater than 0"),
    ],
)
def test_questions_without_an_answer(place: Path, change: dict[str, float], sentence: str) -> None:
    error = failure(*asked(place, **change))
    assert isinstance(error, SettingsError)
    assert str(error).startswith(sentence)


def test_a_latency_below_the_time_of_one_text_is_impossible(place: Path) -> None:
    error = failure(*asked(place, p99_ms=5))
    assert isinstance(error, Impossible)
    assert str(error) == (
        "no number of replicas answers 99\u202f% of these texts within 5 ms: on an idle replica fp32, the fastest "
        "engine here, takes 10.0 ms; ask for more time, or make the model faster with bertline optimize or distill"
    )


def test_a_day_has_24_hours(place: Path) -> None:
    error = failure(*asked(place, "--day", 50, "--day", 100))
    assert "day has 2 figures: give 24, one for each hour from midnight" in str(error)


def test_an_engine_that_is_not_there(place: Path) -> None:
    error = failure(*asked(place, "--engine", "int8"))
    assert isinstance(error, UsageError)
    assert str(error) == f"{place / 'times.json'} has no engine int8: valid names are fp32"


def test_a_page_in_no_directory_is_refused_before_measuring(place: Path) -> None:
    error = failure(*asked(place, "--out", place / "missing" / "plan.html"))
    assert isinstance(error, DestinationError)
    assert "there is no directory" in str(error)


@pytest.mark.drill
def test_a_real_bundle_is_measured(place: Path) -> None:
    result = bertline(
        *(place / "tiny", "--rps", 20, "--p99-ms", 500, "--texts", place / "texts.txt", "--json"),
        *("--replica-cores", 1, "--measure-s", 1, "--simulated-requests", 500),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {one["engine"] for one in found["times"]} == {"fp32"}
    for one in found["times"]:
        assert 0 < one["request_s"] < 0.1
        assert 0 < one["start_s"] < 120
        assert 20 < one["memory_mb"] < 2000
        assert all(knot["one_s"] < 0.5 for knot in one["knots"])
    assert found["options"][0]["p99_ms"] < 500
