"""The files for Elasticsearch, Filebeat and Kibana hang together, and with the table."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from bertline.monitoring.dashboards import elk
from bertline.monitoring.dashboards.kibana import COUNT, PANELS, SEARCHES, saved_objects
from bertline.monitoring.logs.table import FIELDS, LOGGED

OBJECTS = saved_objects(elk.PATTERN)
KNOWN_IN_QUERIES = re.compile(r"([a-z_@][\w.@]*\.[\w.]+)\s*(?::|>=|<=|>|<)")


def leaves(properties: dict[str, Any], above: str = "") -> dict[str, dict[str, Any]]:
    """The mapped fields by their full names."""
    found: dict[str, dict[str, Any]] = {}
    for name, one in properties.items():
        if "properties" in one:
            found |= leaves(one["properties"], f"{above}{name}.")
        else:
            found[above + name] = one
    return found


def test_the_template_maps_the_table_and_nothing_else() -> None:
    mappings = elk.index_template()["template"]["mappings"]
    mapped = leaves(mappings["properties"])
    assert {name: one["type"] for name, one in mapped.items()} == {name: one.type for name, one in FIELDS.items()}
    assert mappings["dynamic"] is False
    assert all(one["ignore_above"] == 1024 for one in mapped.values() if one["type"] == "keyword")
    # A data stream has its parts in its name; the last is the user's.
    assert mapped["data_stream.type"]["value"] == "logs"
    assert mapped["data_stream.dataset"]["value"] == "bertline"
    assert "value" not in mapped["data_stream.namespace"]


def test_the_template_names_policy_pipeline_and_stream() -> None:
    template = elk.index_template()
    settings = template["template"]["settings"]
    assert settings["index.lifecycle.name"] == elk.POLICY
    assert settings["index.default_pipeline"] == elk.PIPELINE
    assert re.fullmatch(elk.PATTERN.replace("*", ".+"), elk.DATA_STREAM)
    assert template["index_patterns"] == [elk.PATTERN]
    assert template["priority"] > 100
    assert template["data_stream"] == {}


def test_log_lines_are_retained_and_then_deleted() -> None:
    phases = elk.lifecycle_policy()["policy"]["phases"]
    assert phases["hot"]["actions"]["rollover"]["max_age"] == "7d"
    assert phases["delete"] == {"min_age": "30d", "actions": {"delete": {}}}


@pytest.mark.parametrize("keep_debug", [True, False])
def test_the_pipeline_sets_fields_of_the_table_and_drops_debug_where_asked(keep_debug: bool) -> None:
    pipeline = elk.ingest_pipeline(keep_debug=keep_debug)
    steps = [*pipeline["processors"], *pipeline["on_failure"]]
    kinds = [kind for step in steps for kind in step]
    assert all(len(step) == 1 for step in steps)
    assert kinds.count("drop") == (not keep_debug)
    assert {step["set"]["field"] for step in steps if "set" in step} <= FIELDS.keys()
    assert "event.ingested" in str(steps)


def test_every_reference_of_kibanas_objects_leads_to_one_of_them() -> None:
    known = {(one["type"], one["id"]) for one in OBJECTS}
    assert len(known) == len(OBJECTS)
    references = [(one["type"], one["id"]) for each in OBJECTS for one in each["references"]]
    assert len(references) > 12
    assert set(references) <= known


def test_every_search_and_panel_reads_the_data_view() -> None:
    readers = [one for one in OBJECTS if one["type"] in ("search", "lens")]
    assert len(readers) == len(SEARCHES) + len(PANELS)
    for one in readers:
        assert [reference["type"] for reference in one["references"]] == ["index-pattern"]
    for one in readers[: len(SEARCHES)]:
        source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert source["indexRefName"] == one["references"][0]["name"]


def test_the_dashboard_shows_every_panel_once_and_none_over_another() -> None:
    [dashboard] = [one for one in OBJECTS if one["type"] == "dashboard"]
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    names = {f"{one['panelIndex']}:{one['panelRefName']}" for one in panels}
    assert names == {one["name"] for one in dashboard["references"]}
    assert {one["id"] for one in dashboard["references"]} == {one.id for one in PANELS}
    taken = [
        (x, y)
        for grid in (one["gridData"] for one in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 48


def test_a_panel_draws_columns_that_it_has() -> None:
    for one in (each for each in OBJECTS if each["type"] == "lens"):
        state = one["attributes"]["state"]
        [(name, layer)] = state["datasourceStates"]["formBased"]["layers"].items()
        [drawn] = state["visualization"]["layers"]
        assert drawn["layerId"] == name
        used = {
            drawn["xAccessor"],
            *drawn["accessors"],
            *([drawn["splitAccessor"]] if "splitAccessor" in drawn else []),
        }
        assert used == set(layer["columns"]) == set(layer["columnOrder"])
        assert one["references"][0]["name"] == f"indexpattern-datasource-layer-{name}"


def test_every_field_in_kibana_is_in_the_table() -> None:
    columns = {name for one in SEARCHES for name in one.columns}
    drawn = {name for one in PANELS for name in (one.field, one.by) if name}
    asked = {name for one in (*SEARCHES, *PANELS) for name in KNOWN_IN_QUERIES.findall(one.query)}
    assert {"log.level", "event.duration", "event.dataset"} <= asked
    assert columns | drawn | asked <= LOGGED
    assert COUNT not in drawn


def test_numbers_are_measured_and_names_are_counted() -> None:
    for one in PANELS:
        assert one.field is None or FIELDS[one.field].type in ("long", "float")
        assert (one.field is None) == (one.percentile is None)


def test_filebeat_reads_json_lines_and_knows_no_secret() -> None:
    config = yaml.safe_load(elk.files()["filebeat.yml"])
    inputs = config["filebeat.inputs"]
    assert [one["type"] for one in inputs] == ["filestream", "filestream"]  # "container" is off since 9.0
    assert len({one["id"] for one in inputs}) == 2
    for one in inputs:
        assert one["parsers"][-1]["ndjson"]["expand_keys"] is True
        assert one["parsers"][-1]["ndjson"]["target"] == ""
    assert list(inputs[1]["parsers"][0]) == ["container"]
    output = config["output.elasticsearch"]
    assert output["index"] == elk.DATA_STREAM
    assert output["hosts"] == ["${ELASTICSEARCH_HOSTS}"]
    assert output["api_key"] == "${ELASTICSEARCH_API_KEY}"
    assert config["setup.template.enabled"] is config["setup.ilm.enabled"] is False


def test_the_files_are_json() -> None:
    files = elk.files()
    assert all(json.loads(text) for name, text in files.items() if name.endswith(".json"))
    assert [json.loads(line) for line in files["kibana.ndjson"].splitlines()] == OBJECTS
