from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import mlflow
import pytest

from bertline.bundle import load
from bertline.errors import BundleError, UsageError
from bertline.registry.add import LARGEST_FACTS, add, main_figure, store_address, tags
from bertline.registry.described import lines
from bertline.registry.fetch import Address
from bertline.registry.reference import Reference
from bertline.registry.resolve import look_up, open_bundle
from bertline.registry.settings import RegistrySettings
from bertline.testing.tiny import write_tiny_bundle
from tests.registered import new_registry

FACTS: dict[str, Any] = {
    "metrics": {"split": "held out", "rows": 1000, "ece": 0.02, "accuracy": {"value": 0.84, "low": 0.81, "high": 0.87}},
    "lineage": {"base_model": "all-MiniLM-L6-v2", "teacher": "big"},
    "data": {"source": "reviews.csv", "fingerprint": {"sha256": "ab" * 32, "rows": 1000}},
    "training": {"lr": 0.0001, "slice_columns": ["source", "year"]},
}


@pytest.fixture
def settings(tmp_path: Path) -> RegistrySettings:
    return RegistrySettings(url=new_registry(tmp_path), store=str(tmp_path / "store"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "bundle", **FACTS)
    return tmp_path / "bundle"


def test_a_bundle_is_a_version_once_and_its_files_are_in_the_store_once(
    bundle: Path, settings: RegistrySettings, tmp_path: Path
) -> None:
    digest = load(bundle).manifest.checksum
    first = add(bundle, "films", settings, by="ana")
    again = add(bundle, "films", settings, by="ana")
    other = add(bundle, "reviews", settings, by="ana")
    assert (str(first.version), first.is_new) == ("films:1", True)
    assert (str(again.version), again.is_new) == ("films:1", False)
    assert str(other.version) == "reviews:5"
    assert [path.name for path in (tmp_path / "store").iterdir()] == [digest]
    assert first.version.address == f"file:{tmp_path / 'store'}@sha256:{digest}"


def test_a_version_is_opened_by_its_name_and_by_mlflow_itself(
    bundle: Path, settings: RegistrySettings, tmp_path: Path
) -> None:
    add(bundle, "films", settings, by="ana")
    path = open_bundle("models:/films/1", settings=settings)
    assert load(path).version == load(bundle).version
    assert open_bundle(bundle) == bundle
    client = mlflow.MlflowClient(tracking_uri=settings.place, registry_uri=settings.place)
    uri = client.get_model_version_download_uri("films", "1")
    assert Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)) == path


def test_what_a_version_says_of_its_bundle(bundle: Path, settings: RegistrySettings) -> None:
    version = add(bundle, "films", settings, by="ana").version
    said = dict(lines(look_up(Reference("films", version=1), settings)))
    assert said["model"] == "films:1"
    assert said["aliases"] == "none"
    assert said["base model"] == "all-MiniLM-L6-v2"
    assert said["teacher"] == "big"
    assert said["data"] == "reviews.csv"
    assert said["fingerprint"] == f"{'ab' * 32} (1,000 rows)"
    assert said["settings"] == "lr 0.0001, slice_columns source year"
    assert said["accuracy"] == "84.0\u202f% (81.0–87.0)"
    assert said["digest"] == version.digest
    assert said["address"] == version.address


def test_the_main_figure_is_the_first_with_an_interval() -> None:
    figure = main_figure(FACTS["metrics"])
    assert figure is not None
    assert (figure.title, figure.text, figure.interval) == ("accuracy", "84.0\u202f%", "81.0–87.0")
    assert main_figure({}) is None


def test_facts_too_long_for_a_tag_of_mlflow_lose_what_is_longest(bundle: Path) -> None:
    manifest = load(bundle).manifest.model_copy(update={"data": {"labels": ["x" * 99] * 2000}})
    facts = tags(manifest, Address("file", "/shelf").pinned("1" * 64), "ana")["bertline.facts"]
    assert len(facts) <= LARGEST_FACTS
    assert json.loads(facts)["data"] is None
    assert json.loads(facts)["lineage"] == FACTS["lineage"]


@pytest.mark.parametrize(
    "store", ["oci://host/name", "hf://owner/name", "s3://bucket/prefix:tag", "s3://b/p@sha256:" + "1" * 64]
)
def test_a_store_is_a_directory_or_a_bucket(store: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be the store of a registry|is not an address"):
        store_address(RegistrySettings(url=None, store=store))


def test_a_store_is_the_same_place_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_address(RegistrySettings(url=None, store="models")).place == str(tmp_path / "models")
    assert store_address(RegistrySettings(url=None, store="s3://bucket/prefix")).tag is None


def test_a_damaged_bundle_is_not_added(bundle: Path, settings: RegistrySettings) -> None:
    next(bundle.glob("*.safetensors")).write_bytes(b"damaged")
    with pytest.raises(BundleError):
        add(bundle, "films", settings, by="ana")


def test_mlflow_is_quiet_does_not_report_and_writes_nothing_beside(
    bundle: Path, settings: RegistrySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    add(bundle, "films", settings, by="ana")
    assert capfd.readouterr() == ("", "")
    assert list((tmp_path / "here").iterdir()) == []
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert is_telemetry_disabled()
