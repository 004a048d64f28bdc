"""The dashboards: Grafana's own model knows every key, nothing overlaps, every query uses series that exist."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as sdk

from bertline.monitoring.dashboards import grafana, prometheus
from bertline.monitoring.dashboards.panel import Dashboard, Panel
from bertline.monitoring.dashboards.panels import DASHBOARDS
from bertline.monitoring.metrics.registry import TABLE
from tools.expressions import known, measured, plain, uses
from tools.observe import _cell

ROOT = Path(__file__).parents[4]
PANELS = [(one, panel) for one in DASHBOARDS for _, panels in one.rows for panel in panels]
register_default_plugins()


def made(one: Dashboard) -> Any:
    return json.loads(grafana.files()[f"grafana/dashboards/{one.uid}.json"])


def subset(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Places of ours that theirs lacks or has otherwise."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [path]
        return [place for key, one in ours.items() for place in subset(one, theirs.get(key, ...), f"{path}.{key}")]
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return [path]
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [place for number, (one, other) in pairs for place in subset(one, other, f"{path}[{number}]")]
    return [] if ours == theirs else [path]


@pytest.mark.parametrize("one", DASHBOARDS, ids=lambda one: one.uid)
def test_grafanas_own_types_read_a_dashboard_without_loss(one: Dashboard) -> None:
    ours = made(one)
    read = sdk.Dashboard.from_json(json.loads(json.dumps(ours)))
    theirs = json.loads(json.dumps(read.to_json(), default=lambda value: value.to_json()))
    # What an annotation is called is the Prometheus data source's own key.
    assert subset(ours, theirs) == [".annotations.list[0].titleFormat"]


def test_a_key_that_grafana_does_not_know_would_be_noticed() -> None:
    ours = made(DASHBOARDS[0])
    ours["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
    theirs = json.loads(json.dumps(sdk.Dashboard.from_json(ours).to_json(), default=lambda value: value.to_json()))
    assert ".panels[1].fieldConfig.defaults.units" in subset(ours, theirs)


@pytest.mark.parametrize("one", DASHBOARDS, ids=lambda one: one.uid)
def test_panels_lie_on_the_grid_and_on_nothing_else(one: Dashboard) -> None:
    places = [panel["gridPos"] for panel in made(one)["panels"]]
    assert all(place["x"] + place["w"] <= 24 and min(place.values()) >= 0 for place in places)
    for a, b in combinations(places, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y
    bottom = max(place["y"] + place["h"] for place in places)
    assert sum(place["w"] * place["h"] for place in places) == 24 * bottom, "there is a hole"


@pytest.mark.parametrize("one", DASHBOARDS, ids=lambda one: one.uid)
def test_panels_have_numbers_of_their_own_and_the_chosen_data_source(one: Dashboard) -> None:
    content = made(one)
    numbers = [panel["id"] for panel in content["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in content["panels"]:
        for target in panel.get("targets", ()):
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert content["templating"]["list"][0]["type"] == "datasource"
    # Grafana's own colours: light and dark follow the reader.
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb\(", json.dumps(content))


@pytest.mark.parametrize(("one", "panel"), PANELS, ids=lambda one: getattr(one, "title", ""))
def test_a_panel_has_a_description_and_queries_existing_metrics(one: Dashboard, panel: Panel) -> None:
    assert panel.description.endswith(".")
    labels = known()
    for expression, legend in panel.queries:
        found = uses(plain(expression))
        assert found.selected
        for series, asked in found.selected:
            assert asked <= labels[series]
            assert "job" in asked
        there = set().union(*(labels[series] for series, _ in found.selected))
        assert found.named <= there
        assert set(re.findall(r"{{(\w+)}}", legend)) <= there
        assert ("$model" in expression) <= one.by_model


def test_every_metric_is_shown_or_watched_somewhere() -> None:
    every = [*(one[-1] for one in grafana.expressions()), *(one[-1] for one in prometheus.expressions())]
    shown = {series for expression in every for series, _ in uses(plain(expression)).selected}
    bases = {re.sub(r"_(total|bucket|sum|count)$", "", one) for one in shown} | shown
    # These two are there for Text Embeddings Inference's dashboards.
    assert {one.name for one in TABLE} - bases == {"bertline_queue_texts", "bertline_batch_tokens"}


def test_an_unknown_series_or_label_would_be_noticed() -> None:
    assert "bertline_made_up" not in known()
    assert uses('sum by (x) (rate(a_total{b="c"}[5m])) > on (d) e').named == {"x", "d"}
    assert uses('sum by (x) (rate(a_total{b="c"}[5m])) > on (d) e').selected == [("a_total", {"b"}), ("e", set())]
    assert measured("a > 1 and b < 2").split() == ["(a)", "and", "(b)"]


def test_grafana_reads_the_data_source_and_provider_at_startup() -> None:
    files = grafana.files("http://prometheus.example:9090")
    (source,) = yaml.safe_load(files["grafana/provisioning/datasources/bertline.yml"])["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus.example:9090")
    (provider,) = yaml.safe_load(files["grafana/provisioning/dashboards/bertline.yml"])["providers"]
    assert provider["type"] == "file"


def test_the_page_of_results_has_every_expression_and_a_result_for_each() -> None:
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+? \| .+? \| `(.+?)` \| (.+?) \|$", page, re.MULTILINE)
    every = [*(one[-1] for one in prometheus.expressions()), *(one[-1] for one in grafana.expressions())]
    assert [expression for expression, _ in rows] == [_cell(one) for one in every]
    assert not [expression for expression, result in rows if "nothing" in result]
