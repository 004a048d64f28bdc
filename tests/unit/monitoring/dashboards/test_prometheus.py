"""The rules: Prometheus accepts them, each alert fires when it should and else not, each has its runbook section."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.destination import write_files
from bertline.errors import UsageError
from bertline.monitoring.addresses import MODEL_ROUTES
from bertline.monitoring.dashboards.alert_examples import EXAMPLES
from bertline.monitoring.dashboards.alerts import ALERTS, Alert
from bertline.monitoring.dashboards.objectives import AVAILABLE, FAILED, FAST, SLOW_S
from bertline.monitoring.dashboards.prometheus import CONFIG, RULE_TESTS, RULES, Scrape, expressions, files
from bertline.monitoring.metrics.registry import SECONDS
from bertline.service.app import ROUTERS
from tests.service.watching import promtool
from tools.expressions import known, plain, uses

ROOT = Path(__file__).parents[4]
NAMED = {one.name: one for one in ALERTS}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("observe")
    write_files(files(Scrape()), target, "the files")
    return target / "prometheus"


def test_promtool_accepts_the_configuration_and_the_rules(written: Path) -> None:
    done = promtool("check", "config", "prometheus.yml", directory=written)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = yaml.safe_load((written / "rules.yml").read_text(encoding="utf-8"))
    assert f"{sum(len(group['rules']) for group in rules['groups'])} rules found" in done.stdout


def stories(written: Path, alert: str, directory: Path, *, right: str = "", wrong: str = "") -> list[str]:
    """Write the stories of one alert, beside the rules that it reads; the names of the files for promtool.

    promtool evaluates every rule at every step of every story. No rule but the shares that an alert reads can change
    when it fires, so the others are left out: six times faster. The drill runs the files as they are shipped.
    """
    groups = yaml.safe_load((written / "rules.yml").read_text(encoding="utf-8").replace(right, wrong))["groups"]
    [expression] = [one["expr"] for group in groups for one in group["rules"] if one.get("alert") == alert]
    for group in groups:
        group["rules"] = [
            one for one in group["rules"] if one.get("alert") == alert or one.get("record", " ") in expression
        ]
    rules = directory / f"{alert}.yml"
    rules.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    names = []
    for number, shipped in enumerate(RULE_TESTS.values()):
        told = yaml.safe_load((written / Path(shipped).name).read_text(encoding="utf-8"))
        told["rule_files"] = [rules.name]
        told["tests"] = [one for one in told["tests"] if one["name"].startswith(f"{alert}: ")]
        if told["tests"]:
            names.append(f"{alert}-{number}.yml")
            (directory / names[-1]).write_text(yaml.safe_dump(told), encoding="utf-8")
    return names


@pytest.mark.drill
def test_every_alert_fires_in_its_stories_and_is_silent_in_the_others(written: Path, tmp_path: Path) -> None:
    names = [name for alert in NAMED for name in stories(written, alert, tmp_path)]
    done = promtool("test", "rules", *names, directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    count = sum(len(yaml.safe_load((tmp_path / name).read_text(encoding="utf-8"))["tests"]) for name in names)
    assert count == sum(len(examples) for examples in EXAMPLES.values())


@pytest.mark.drill
def test_the_stories_hold_with_all_rules_as_they_are_shipped(written: Path) -> None:
    done = promtool("test", "rules", *(Path(one).name for one in RULE_TESTS.values()), directory=written)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "alert"),
    [
        ("bertline_queue_seconds > 0.5", "bertline_queue_seconds > 5", "BertlineQueueLong"),
        ("failed_share:rate1h > 0.0144", "failed_share:rate1h > 0.144", "BertlineAvailabilityBurnsFast"),
        pytest.param(
            "failed_share:rate6h > 0.006 ",
            "failed_share:rate6h > 0.06 ",
            "BertlineAvailabilityBurnsFast",
            marks=pytest.mark.drill,
        ),
        pytest.param(
            "slow_share:rate1h > 0.144", "slow_share:rate1h > 0.5", "BertlineLatencyBurnsFast", marks=pytest.mark.drill
        ),
        pytest.param(
            "slow_share:rate3d > 0.01 ",
            "slow_share:rate3d > 0.1 ",
            "BertlineLatencyBurnsSlowly",
            marks=pytest.mark.drill,
        ),
        ("for: 2m", "for: 60m", "BertlineNotReady"),
    ],
)
def test_a_threshold_that_moves_is_noticed(written: Path, tmp_path: Path, right: str, wrong: str, alert: str) -> None:
    assert right in (written / "rules.yml").read_text(encoding="utf-8")
    done = promtool("test", "rules", *stories(written, alert, tmp_path, right=right, wrong=wrong), directory=tmp_path)
    assert done.returncode != 0
    assert "FAILED:" in done.stdout + done.stderr
    assert f'ALERTS{{alertname=\\"{alert}\\"' in done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one.name)
def test_an_alert_has_stories_of_both_kinds(alert: Alert) -> None:
    assert {bool(one.fires) for one in EXAMPLES[alert.name]} == {True, False}
    assert set(EXAMPLES) == set(NAMED)


@pytest.mark.parametrize(("name", "expression"), expressions(), ids=lambda one: one if " " not in one else "")
def test_a_rule_uses_series_and_labels_that_exist(name: str, expression: str) -> None:
    found = uses(plain(expression))
    assert found.selected
    labels = known()
    for series, asked in found.selected:
        assert asked <= labels[series]
    assert found.named <= set().union(*(labels[series] for series, _ in found.selected))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one.name)
def test_an_alerts_text_uses_only_labels_of_its_series(alert: Alert) -> None:
    found = uses(plain(alert.expression))
    labels = set().union(*(known()[series] for series, _ in found.selected))
    assert set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description)) <= labels
    assert alert.summary
    assert alert.description.endswith(".")


def test_the_objectives_can_be_counted_and_burn_as_the_workbook_says() -> None:
    assert SLOW_S in SECONDS
    assert (AVAILABLE, FAST) == (0.999, 0.99)
    assert FAILED.burns((14.4, "1h", "5m")) == (
        "(job:bertline_failed_share:rate1h > 0.0144 and job:bertline_failed_share:rate5m > 0.0144)"
    )


def test_the_objectives_cover_exactly_the_model_routes() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    own = re.compile(
        r"/admin/.*|/oauth/.*|.*/shadow|.*/canary|/v1/(feedback(/withdraw)?|review(/skip)?|explain|anatomy|compare(/table)?|scan)"
    )
    posted = {one.path for one in routes if "POST" in one.methods and not own.fullmatch(one.path)}  # type: ignore[attr-defined]
    asked = {one for one in posted if re.fullmatch(MODEL_ROUTES, one)}
    assert posted == asked
    read = {one.path for one in routes if "POST" not in one.methods}  # type: ignore[attr-defined]
    assert not {one for one in read if re.fullmatch(MODEL_ROUTES, one)}


def sections() -> dict[str, str]:
    """Text of the runbook's sections by their anchors."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip((one.lower() for one in parts[1::2]), parts[2::2], strict=True))


def test_every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() -> None:
    assert sections().keys() == {one.anchor for one in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one.name)
def test_a_runbook_section_gives_meaning_place_and_remedy(alert: Alert) -> None:
    section = sections()[alert.anchor]
    places = [section.find(f"**{word}.**") for word in ("Meaning", "First look", "Remedy")]
    assert -1 < places[0] < places[1] < places[2]
    assert section.count("```console") >= 1


def test_the_links_lead_to_the_runbook_that_was_named(written: Path) -> None:
    rules = yaml.safe_load(files(Scrape(runbook="https://wiki.example/runbook"))[RULES])
    links = [one["annotations"]["runbook_url"] for one in rules["groups"][1]["rules"]]
    assert links[0] == "https://wiki.example/runbook#bertlinedown"
    assert "docs/runbook.md#bertlinedown" in (written / "rules.yml").read_text(encoding="utf-8")


def test_targets_tls_and_a_key_are_in_the_scrape_configuration() -> None:
    made = files(Scrape(("https://a:1", "https://b:2"), key_file="/run/key"))
    (job,) = yaml.safe_load(made[CONFIG])["scrape_configs"]
    assert job["scheme"] == "https"
    assert job["static_configs"] == [{"targets": ["a:1", "b:2"]}]
    assert job["authorization"] == {"type": "Bearer", "credentials_file": "/run/key"}
    assert made.keys() == {CONFIG, RULES, *RULE_TESTS.values()}


@pytest.mark.parametrize("targets", [("a",), ("a:x",), ("a:1", "https://b:2"), ("a:1/metrics",), ("",)])
def test_a_target_that_is_none_is_refused(targets: Any) -> None:
    with pytest.raises(UsageError, match="target"):
        Scrape(targets)
