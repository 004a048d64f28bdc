"""A model in a registry, with everything that it needs to be retrained in seconds."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bertline.lifecycle.gate import costs
from bertline.lifecycle.retraining.retrainer import Retrainer
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.optimization.cold_start import ColdStart
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.add import add
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollouts import Rollouts
from bertline.registry.settings import RegistrySettings
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.registered import new_registry
from tests.unit.training.conftest import model, sentences, write_csv

__all__ = ["model"]

NOW = datetime(2050, 11, 30, 12, tzinfo=UTC)
# What is not the point of these tests: tiny models are neither good nor calibrated, and the machine is busy.
RELAXED: dict[str, Any] = {
    "max_calibration_error": 1.0,
    "max_slower": 50.0,
    "timed_texts": 10,
    "margin": 40.0,
    "slice_margin": 90.0,
    "every": "1d",
    "cooldown": "1h",
}


@dataclass(frozen=True)
class World:
    """A registry whose champion films:1 learned from ``table``, and rows to judge by."""

    folder: Path
    registry: RegistrySettings
    table: Path
    frozen: Path
    retrainer: Retrainer

    def deployments(self) -> list[tuple[str, int | None]]:
        """Alias and version of each move."""
        with Database(self.registry.place) as database:
            return [(one.alias, one.to_version) for one in Deployments(database, "test").entries("films")]

    def end_rollout(self) -> None:
        """As servers do when the challenger has passed in the shadow."""
        with Database(self.registry.place) as database:
            rollouts = Rollouts(database)
            current = rollouts.current("films")
            assert current is not None
            assert rollouts.move(current, "passed", 0, "it agrees")

    def with_settings(self, **changes: Any) -> World:
        """With other settings."""
        settings = self.retrainer.settings.model_copy(update=changes)
        return replace(self, retrainer=replace(self.retrainer, settings=settings))


@pytest.fixture(autouse=True)
def no_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate measures memory in fresh processes, which take seconds."""
    monkeypatch.setattr(costs, "measure_cold_start", lambda *_: ColdStart(1.0, 100.0))


@pytest.fixture(scope="session")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the champion's bundle, its table and frozen rows."""
    folder = tmp_path_factory.mktemp("champion")
    write_csv(folder / "rows.csv", sentences(200))
    write_csv(folder / "frozen.csv", sentences(120, seed=7))
    settings = TrainSettings(model=str(model), epochs=2, max_tokens=32, precision="fp32", lr=2e-3)
    train(str(folder / "rows.csv"), folder / "films", settings, Silent())
    return folder


def make_world(folder: Path, trained: Path, **changes: Any) -> World:
    """A world of its own, in ``folder``."""
    registry = RegistrySettings(url=new_registry(folder), store=str(folder / "store"))
    added = add(trained / "films", "films", registry, by="ana")
    with Database(registry.place) as database:
        Deployments(database, "ana").promote(Reference("films", version=added.version.version), reason="first")
    table = Path(shutil.copy(trained / "rows.csv", folder / "rows.csv"))
    frozen = Path(shutil.copy(trained / "frozen.csv", folder / "frozen.csv"))
    given = {**RELAXED, "data": (str(table),), "frozen": (str(frozen),), "directory": folder / "retraining", **changes}
    retrainer = Retrainer(
        model="films",
        settings=RetrainSettings(**given),
        registry=registry,
        optimizing=OptimizeSettings(),
        progress=Silent(),
        labelled=None,
        by="ana",
        now=lambda: NOW,
    )
    return World(folder, registry, table, frozen, retrainer)


@pytest.fixture
def world(tmp_path: Path, trained: Path) -> World:
    return make_world(tmp_path, trained)


def append(path: Path, rows: list[tuple[str, str]]) -> None:
    """Rows at the end of a table."""
    with path.open("a", newline="") as stream:
        csv.writer(stream).writerows(rows)
