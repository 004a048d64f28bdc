"""What the steps of a run work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.bundle import Manifest
from bertline.bundle.verify import read_manifest
from bertline.lifecycle.retraining.home import Home
from bertline.lifecycle.retraining.journal import Journal
from bertline.lifecycle.retraining.labelled import Labelled
from bertline.lifecycle.retraining.recipe import train_settings
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.lifecycle.retraining.snapshot import Snapshot
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.settings import RegistrySettings
from bertline.training.progress import Progress
from bertline.training.settings import TrainSettings

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What the steps work with.

    Attributes:
        home: of the model.
        journal: the record so far.
        settings: of the run.
        registry: where versions and runs are recorded.
        champion: directory of its bundle.
        progress: hears of the work.
        spend: records seconds of training in the journal.
        labelled: rows of production; None if there are none.
        optimizing: settings of ``optimize``.
        plan: settings of the shadow's decisions (``lifecycle.rollout.plan``).
        by: who retrains, for the log.
    """

    home: Home
    journal: Journal
    settings: RetrainSettings
    registry: RegistrySettings
    champion: Path
    progress: Progress
    spend: Callable[[float], None]
    labelled: Labelled | None
    optimizing: OptimizeSettings
    plan: Mapping[str, Any]
    by: str

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.home.folder(self.journal)

    @property
    def bundle(self) -> Path:
        """Directory of the challenger; its name is the model's, as MLflow and reports show it."""
        return self.folder / "bundle" / self.journal.model

    @property
    def manifest(self) -> Manifest:
        """Of the champion."""
        return read_manifest(self.champion)

    @property
    def title(self) -> str:
        """Of the champion."""
        return f"{self.journal.model}:{self.journal.champion}"

    @property
    def snapshot(self) -> Snapshot:
        """The rows, once they were taken."""
        facts = self.journal.done["snapshot"]
        return Snapshot(self.home.path / "snapshots" / facts["sha256"], facts)

    @property
    def training(self) -> TrainSettings:
        """Settings of the training, once there are rows."""
        columns = self.snapshot.facts["columns"]
        settings = self.settings
        return train_settings(self.manifest, self.champion, columns, start=settings.start, model=settings.model)
