"""What the chart of a bundle contains, without Helm: drills render it."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import promql_parser
import pytest
import yaml

from bertline.bundle import Bundle
from bertline.bundle.engine import Engine
from bertline.deploy.chart import OWN, SETTINGS, Image, chart_name, files, image_of
from bertline.deploy.measuring import example_of
from bertline.errors import UsageError
from bertline.monitoring.dashboards import grafana
from bertline.monitoring.dashboards.prometheus import rules_of_job
from tests.unit.deploy.charts import DIGEST, MEASURED, bundle_of, merged, values_of, written

CHART = written()
CASES = [path.removeprefix("ci/").removesuffix("-values.yaml") for path in CHART if path.startswith("ci/")]


def faults(values: dict[str, Any]) -> list[str]:
    validator = jsonschema_rs.Draft7Validator(json.loads(CHART["values.schema.json"]))
    return [".".join(map(str, one.instance_path)) for one in validator.iter_errors(values)]


def test_the_chart_is_complete_and_no_place_is_left_empty() -> None:
    assert {"Chart.yaml", "values.yaml", "values.schema.json", ".helmignore", "files/rules.yaml"} <= set(CHART)
    assert {"templates/NOTES.txt", "templates/deployment.yaml", "templates/tests/prediction.yaml"} <= set(CHART)
    assert len(CASES) >= 11
    assert [path for path, text in CHART.items() if re.search(r"@\{[a-z_]+\}", text)] == []


def test_the_values_have_the_measured_figures() -> None:
    values = values_of(CHART)
    assert values["resources"] == {
        "requests": {"cpu": "2", "memory": "448Mi"},  # 346 MiB and a quarter, in steps of 64
        "limits": {"cpu": "2", "memory": "704Mi"},
    }
    assert values["startup"] == {"seconds": 60}
    assert values["autoscaling"]["inFlight"] == 4
    assert values["autoscaling"]["queueSeconds"] == 0.1
    for figure in ("210.5 requests per second", "ready after 2.9 s", "2026-11-29", "a processor, 2 cores", "346 MiB"):
        assert figure in CHART["values.yaml"]


def test_other_figures_give_other_values() -> None:
    values = values_of(written(load_s=30, threads=8, in_flight=None))
    assert values["startup"] == {"seconds": 300}
    assert values["resources"]["limits"]["cpu"] == "8"
    assert values["autoscaling"]["inFlight"] == 16


def test_the_engine_of_a_plan_is_the_one_that_is_served() -> None:
    engines = tuple(
        Engine(name=name, kind="onnx", outputs=("logits",), precision="fp32", file=f"{name}.onnx", batch_tokens=512)
        for name in ("first", "second")
    )
    bundle = bundle_of()
    bundle = Bundle(bundle.path, bundle.manifest.model_copy(update={"engines": engines}))
    settings = [
        values_of(files(bundle, MEASURED.model_copy(update={"engine": one})))["settings"] for one in ("first", "second")
    ]
    assert settings == [{}, {"serve": {"engine": "second"}}]


def test_the_chart_is_about_this_bundle() -> None:
    chart = yaml.safe_load(CHART["Chart.yaml"])
    assert (chart["name"], chart["appVersion"]) == ("reviews", "a1a1a1a1a1a1")
    assert values_of(CHART)["model"] | {"source": None} == {
        "name": "reviews", "version": "a1a1a1a1a1a1", "source": None
    }  # fmt: skip
    named = files(bundle_of("Reviews 2"), MEASURED, Image("hub/bge", "3", DIGEST), "4.5.6")
    assert yaml.safe_load(named["Chart.yaml"])["version"] == "4.5.6"
    values = values_of(named)
    assert (values["image"]["repository"], values["image"]["tag"], values["image"]["digest"]) == (
        "hub/bge",
        "3",
        DIGEST,
    )
    assert values["model"]["name"] == "Reviews 2"
    assert values["model"]["source"]["path"] == "/models/Reviews 2"


@pytest.mark.parametrize("case", CASES)
def test_the_schema_accepts_the_values_of_every_case(case: str) -> None:
    assert faults(values_of(CHART, case)) == []


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"autoscaling": {"hpa": {"enabled": True}, "keda": {"enabled": True}}}, "autoscaling"),
        ({"autoscaling": {"minReplicas": 0}}, "autoscaling.minReplicas"),
        ({"autoscaling": {"hpa": {"cpuUtilization": -1}}}, "autoscaling.hpa.cpuUtilization"),
        ({"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}, "podDisruptionBudget"),
        ({"podDisruptionBudget": {"minAvailable": -1}}, "podDisruptionBudget.minAvailable"),
        ({"image": {"digest": "sha256:12"}}, "image.digest"),
        ({"settings": {"serve": {"max_wait": 1}}}, "settings.serve"),
        ({"settings": {"serve": {"port": 1}}}, "settings.serve"),
        ({"settings": {"auth": {"database": "postgresql://user:password@db/auth"}}}, "settings.auth"),
        ({"replicaCount": 3}, ""),
        ({"model": {"source": {"kind": "ftp"}}}, "model.source.kind"),
    ],
)
def test_the_schema_refuses_what_the_cluster_or_the_server_would(wrong: dict[str, Any], place: str) -> None:
    assert faults(merged(values_of(CHART), wrong)) == [place]


def test_the_schema_knows_every_setting_but_those_of_the_chart() -> None:
    schema = json.loads(CHART["values.schema.json"])["properties"]["settings"]["properties"]
    for component, model in SETTINGS.items():
        own = OWN.get(component, set())
        assert own <= set(model.model_fields)
        assert set(schema[component]["properties"]) == set(model.model_fields) - own


def test_the_rules_of_a_job_select_only_its_series() -> None:
    groups = yaml.safe_load(rules_of_job("shop/reviews", "https://wiki.example/runbook"))["groups"]
    jobs: set[tuple[str, ...]] = set()

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            jobs.add(tuple(one.value for one in node.matchers.matchers if one.name == "job"))
        return True

    for rule in (one for group in groups for one in group["rules"]):
        promql_parser.walk(promql_parser.parse(rule["expr"]), visit)
        assert rule.get("annotations", {"runbook_url": "https://wiki"})["runbook_url"].startswith("https://wiki")
    assert jobs == {("shop/reviews",)}


def test_the_dashboards_are_those_of_observe() -> None:
    shipped = {text for path, text in CHART.items() if path.startswith("files/dashboards/")}
    assert shipped == {text for path, text in grafana.files().items() if path.endswith(".json")}


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        ({"task": "classify", "problem": "single", "labels": ["a", "b"]}, {"text"}),
        ({"task": "classify", "reads": "pair", "problem": "single", "labels": ["a", "b"]}, {"text", "text_pair"}),
        ({"task": "embed"}, {"text"}),
        ({"task": "rank", "reads": "query"}, {"text", "text_pair"}),
    ],
)
def test_the_test_asks_what_the_model_answers(spec: dict[str, Any], body: set[str]) -> None:
    assert set(example_of(bundle_of(**spec))) == body


def test_names_and_images_are_those_of_kubernetes_and_registries() -> None:
    assert [chart_name(one) for one in ("Reviews 2", "3b", "ä")] == ["reviews-2", "model-3b", "model"]
    assert image_of(f"hub.example:5000/a/b:1@{DIGEST}") == Image("hub.example:5000/a/b", "1", DIGEST)
    with pytest.raises(
        UsageError, match=r"^Reviews:x y is not an image: write registry/name:tag or registry/name@sha256:…$"
    ):
        image_of("Reviews:x y")
