from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from bertline.bundle import load
from bertline.errors import BertlineWarning
from bertline.registry.settings import RegistrySettings
from bertline.registry.tracking import TrackedRun
from bertline.tasks.history import EpochRecord
from bertline.testing.tiny import write_tiny_bundle
from tests.registered import new_registry

FACTS: dict[str, Any] = {
    "metrics": {"rows": 1000, "accuracy": {"value": 0.84, "low": 0.81, "high": 0.87}},
    "data": {"source": "data/reviews.csv", "fingerprint": {"sha256": "ab" * 32, "rows": 1000}},
}
HISTORY = [EpochRecord(n, 10, 1.5, 900, 1.0 / n, 1.2 / n, {"accuracy": 0.7 + n / 10}) for n in (1, 2)]


@pytest.fixture
def settings(tmp_path: Path) -> RegistrySettings:
    return RegistrySettings(url=new_registry(tmp_path), store=str(tmp_path / "store"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "films", **FACTS)
    return tmp_path / "films"


def client(settings: RegistrySettings) -> MlflowClient:
    return MlflowClient(tracking_uri=settings.place, registry_uri=settings.place)


def test_mlflows_client_sees_settings_curves_figures_data_code_and_report(
    settings: RegistrySettings, bundle: Path, tmp_path: Path
) -> None:
    tracked = TrackedRun(settings, "films", bundle, {"epochs": 2}, "ana@build-7")
    assert tracked.id is None
    tracked.begin()
    for record in HISTORY:
        tracked.epoch(record)
    assert client(settings).get_run(tracked.id).info.status == "RUNNING"
    id_ = tracked.finish(bundle, {"epochs": 2, "lr": 0.0001, "slice_columns": ["year"]}, HISTORY)
    run = client(settings).get_run(id_)
    assert (run.info.status, run.info.run_name, run.info.user_id) == ("FINISHED", "films", "ana@build-7")
    assert run.data.params == {"epochs": "2", "lr": "0.0001", "slice_columns": '["year"]'}
    assert run.data.tags["bertline.digest"] == load(bundle).manifest.checksum
    assert run.data.tags["bertline.data"] == "ab" * 32
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40
    curve = client(settings).get_metric_history(id_, "validation/accuracy")
    assert [(point.step, point.value) for point in curve] == [(1, pytest.approx(0.8)), (2, pytest.approx(0.9))]
    figures = [run.data.metrics[f"test/accuracy{end}"] for end in ("_low", "", "_high")]
    assert figures == pytest.approx([0.81, 0.84, 0.87])
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("reviews.csv", ("ab" * 32)[:36])
    assert json.loads(data.dataset.profile)["rows"] == 1000
    kept = {path.name: path for path in Path(run.info.artifact_uri).rglob("*")}
    assert Path(run.info.artifact_uri).is_relative_to(tmp_path / "store" / "runs")
    assert kept["bertline.json"].read_bytes() == (bundle / "bertline.json").read_bytes()


def test_epochs_before_a_resumption_are_recorded_at_the_end_and_none_twice(
    settings: RegistrySettings, bundle: Path
) -> None:
    tracked = TrackedRun(settings, "films", bundle, {}, "ana")
    tracked.epoch(HISTORY[1])
    id_ = tracked.finish(bundle, {}, HISTORY)
    assert sorted(point.step for point in client(settings).get_metric_history(id_, "train/loss")) == [1, 2]


def test_a_registry_that_goes_away_does_not_end_the_training(
    settings: RegistrySettings, bundle: Path, tmp_path: Path
) -> None:
    tracked = TrackedRun(settings, "films", bundle, {}, "ana")
    tracked.begin()
    assert tracked._mlflow._runs is not None
    tracked._mlflow._runs.engine.dispose()
    (tmp_path / "models.db").rename(tmp_path / "away.db")
    with pytest.warns(BertlineWarning, match="epoch 1 is recorded at the end: MLflow cannot use the registry"):
        tracked.epoch(HISTORY[0])
    tracked._mlflow._runs.engine.dispose()
    (tmp_path / "away.db").rename(tmp_path / "models.db")
    id_ = tracked.finish(bundle, {}, HISTORY)
    assert sorted(point.step for point in client(settings).get_metric_history(id_, "train/loss")) == [1, 2]


def test_a_run_that_fails_says_so(settings: RegistrySettings, bundle: Path) -> None:
    tracked = TrackedRun(settings, "films", bundle, {}, "ana")
    id_ = tracked.begin().id
    tracked.end("KILLED")
    assert client(settings).get_run(id_).info.status == "KILLED"
