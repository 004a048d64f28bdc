from __future__ import annotations

from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.bundle import Manifest
from bertline.bundle.front_matter import front_matter

METRICS = {"rows": 1000, "accuracy": {"value": 0.845}, "macro_f1": 0.84, "ece": 0.000012, "ece_uncalibrated": 0.1}


def read(manifest: Manifest, **changes: Any) -> dict[str, Any]:
    text = front_matter(Manifest(**{**dict(manifest), **changes}))
    assert text.startswith("---\n")
    assert text.endswith("\n---\n")
    content = yaml.safe_load(text.strip().strip("-"))
    assert isinstance(content, dict)
    return content


def test_an_unmeasured_model_has_the_plain_fields(manifest: Manifest) -> None:
    assert read(manifest) == {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["bertline", "text-classification", "calibrated"],
    }


def test_mean_pooling_is_not_sold_as_a_transformers_model(manifest: Manifest) -> None:
    assert read(manifest, pooling="mean")["library_name"] == "bertline"


def test_lineage_gives_licence_language_and_base_model(manifest: Manifest) -> None:
    content = read(
        manifest,
        lineage={
            "license": "apache-2.0",
            "language": "en",
            "base_model": "sentence-transformers/all-MiniLM-L6-v2",
            "parents": 3,
        },
    )
    assert content["license"] == "apache-2.0"
    assert content["language"] == "en"
    assert content["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "parents" not in content


def test_norwegian_stays_a_language(manifest: Manifest) -> None:
    assert read(manifest, lineage={"language": "no"})["language"] == "no"


@pytest.mark.parametrize("path", ["/srv/model", "../model", "a b/c"])
def test_a_local_path_is_not_published_as_base_model(manifest: Manifest, path: str) -> None:
    assert "base_model" not in read(manifest, lineage={"base_model": path})


def test_the_hub_reads_the_measured_figures(manifest: Manifest) -> None:
    measured = Manifest(**{**dict(manifest), "metrics": METRICS, "data": {"source": "Rotten Tomatoes.csv"}})
    data: Any = ModelCard(front_matter(measured)).data
    results = data.eval_results
    assert data.model_name == "reviews"
    assert {one.metric_type: one.metric_value for one in results} == {
        "accuracy": 0.845,
        "f1": 0.84,
        "expected_calibration_error": 0.000012,
    }
    assert {(one.dataset_name, one.dataset_type, one.dataset_split) for one in results} == {
        ("Rotten Tomatoes.csv", "rotten-tomatoes-csv", "test")
    }
    assert data.metrics == ["accuracy", "expected_calibration_error", "f1"]


@settings(max_examples=25)
@given(
    source=st.text(max_size=40),
    name=st.text("ab: '\"#-\u2028\U0001f642\x85é|>&*!%@`", min_size=1, max_size=20),
)
def test_no_text_breaks_the_yaml(source: str, name: str) -> None:
    manifest = Manifest(
        name=name,
        labels=("a", "b"),
        max_tokens=16,
        truncation="head",
        pooling="cls",
        temperature=1.0,
        data={"source": source},
        metrics={"accuracy": 1},
    )
    (index,) = read(manifest)["model-index"]
    assert index["name"] == name
    assert index["results"][0]["dataset"]["name"] == source
