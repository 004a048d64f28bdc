"""A training run in MLflow: settings, curves by epoch, figures, fingerprint of the data, version of the code, report.

The run is there while it trains. A registry that goes away meanwhile does not end the training: what could not be
recorded is recorded at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertline import __version__
from bertline.bundle import Manifest, load
from bertline.bundle.fields import MANIFEST
from bertline.bundle.figures import figures
from bertline.errors import BertlineWarning, RegistryError
from bertline.registry.add import runs_place, store_address
from bertline.registry.catalogue import PREFIX
from bertline.registry.database import Database
from bertline.registry.fetch import Address, parse_address, store_settings
from bertline.registry.fetch.local import objects_at
from bertline.registry.fetch.objects import Objects
from bertline.registry.mlflow_store import Mlflow, StartedRun, Status
from bertline.registry.settings import RegistrySettings
from bertline.tasks.history import EpochRecord

EXPERIMENT = "bertline"
ARTEFACTS = ("report", MANIFEST, "README.md")  # of the bundle; the rest of it is in the store of the registry


class TrackedRun:
    """A run that is recorded as it trains.

    Args:
        settings: of the registry; its tables are made now, so that a wrong URL is not found after the training.
        experiment: MLflow's group of runs.
        out: directory of the bundle; its name is the run's.
        parameters: settings that the user has given.
        by: who trains.
        tags: of the run. A run that has the first of them is continued.

    Raises:
        UsageError: MLflow is not installed.
        RegistryError: the database cannot be used.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        experiment: str,
        out: Path,
        parameters: Mapping[str, Any],
        by: str,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        store = store_address(settings)
        self._database = Database(settings.place, create=True)
        self._mlflow = Mlflow(self._database, runs_place(store))
        self._experiment, self._out, self._by, self._parameters = experiment, out, by, dict(parameters)
        self._tags = {PREFIX + name: value for name, value in (tags or {}).items()}
        self._run: StartedRun | None = None
        self._recorded: set[int] = set()

    @property
    def id(self) -> str | None:
        """Of the run in MLflow, once it has begun."""
        return self._run.id if self._run else None

    def begin(self) -> StartedRun:
        """Start the run, when the data and the model have been checked.

        Raises:
            RegistryError: the database cannot be used.
        """
        for key, value in [*self._tags.items()][:1] if self._run is None else ():
            self._run = self._mlflow.run_with_tag(self._experiment, key, value)
            self._recorded = set() if self._run is None else self._mlflow.steps_of(self._run.id, "train/loss")
        if self._run is None:
            given = {name: _written(value) for name, value in self._parameters.items()}
            tags = {**code_tags(), **self._tags}
            self._run = self._mlflow.start_run(self._experiment, self._out.name, self._by, given, tags)
        return self._run

    def epoch(self, record: EpochRecord) -> None:
        """Record an epoch; a registry that is away is warned of, and the epoch recorded at the end."""
        try:
            self._epoch(self.begin(), record)
        except RegistryError as error:
            warnings.warn(f"epoch {record.epoch} is recorded at the end: {error}", BertlineWarning, stacklevel=2)

    def finish(self, bundle: Path, settings: Mapping[str, Any], history: Sequence[EpochRecord]) -> str:
        """Record everything else, and that the run has ended; returns its id.

        Args:
            bundle: that was written.
            settings: of the run, the task's defaults among them.
            history: all epochs, those before a resumption too.

        Raises:
            RegistryError, StoreError, DestinationError: it cannot be recorded; the bundle is whole.
        """
        run, manifest = self.begin(), load(bundle, verify=False).manifest
        for record in history:
            self._epoch(run, record)
        rest = {name: _written(value) for name, value in settings.items() if name not in self._parameters}
        self._mlflow.log_parameters(run.id, rest)
        self._mlflow.log(run.id, _test_figures(manifest), tags=_tags(manifest))
        self._data(run, manifest)
        self._upload(run, bundle)
        self.end("FINISHED")
        return run.id

    def end(self, status: Status) -> None:
        """Record how the run ended, if it began; a registry that is away must not hide why."""
        try:
            if self._run is not None:
                self._mlflow.end_run(self._run.id, status)
        except RegistryError as error:
            warnings.warn(f"the end of the run was not recorded: {error}", BertlineWarning, stacklevel=2)
        finally:
            self._database.close()

    def _epoch(self, run: StartedRun, record: EpochRecord) -> None:
        if record.epoch in self._recorded:
            return
        curves = {"train/loss": record.train_loss, "validation/loss": record.validation_loss}
        curves |= {f"validation/{name}": value for name, value in record.figures.items()}
        curves |= {"train/seconds": record.seconds, "train/tokens": float(record.tokens)}
        self._mlflow.log(run.id, curves, step=record.epoch)
        self._recorded.add(record.epoch)

    def _data(self, run: StartedRun, manifest: Manifest) -> None:
        fingerprint, source = manifest.data.get("fingerprint"), str(manifest.data.get("source", ""))
        if isinstance(fingerprint, dict):
            profile = json.dumps(fingerprint, ensure_ascii=False)[:60_000]
            origin = json.dumps({"uri": source}, ensure_ascii=False)
            self._mlflow.log_data(run.id, Path(source).name or "data", str(fingerprint["sha256"]), origin, profile)

    def _upload(self, run: StartedRun, bundle: Path) -> None:
        objects = _objects(run.artefacts)
        for name in ARTEFACTS:
            top = bundle / name
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                if path.is_file():
                    objects.put(path.relative_to(bundle).as_posix(), path)


def annotate(settings: RegistrySettings, run: str, tags: Mapping[str, str], files: Mapping[str, Path]) -> None:
    """Add tags and artefacts to a run that has ended; those of the same names are replaced.

    Args:
        settings: of the registry.
        run: its id.
        tags: by name.
        files: by the artefact's name.

    Raises:
        UsageError: MLflow is not installed.
        RegistryError, StoreError, DestinationError: the registry or its store cannot be used.
    """
    with Database(settings.place) as database:
        mlflow = Mlflow(database, runs_place(store_address(settings)))
        objects = _objects(mlflow.artefacts_of(run))
        for name, path in files.items():
            objects.put(name, path)
        mlflow.log(run, {}, tags={PREFIX + name: value for name, value in tags.items()})


def _objects(artefacts: str) -> Objects:
    place = artefacts.removeprefix("file://")
    return objects_at(parse_address(place) if place.startswith("s3://") else Address("file", place), store_settings())


def code_tags() -> dict[str, str]:
    """The versions of bertline and of the project in the current directory, by the names that MLflow's page knows."""
    tags = {
        "mlflow.source.name": "bertline " + " ".join(sys.argv[1:2]),
        "mlflow.source.type": "LOCAL",
        f"{PREFIX}version": __version__,
    }
    command = ["git", "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or no repository
        return tags
    return {**tags, "mlflow.source.git.commit": found}


def _tags(manifest: Manifest) -> dict[str, str]:
    fingerprint = manifest.data.get("fingerprint")
    data = {"data": str(fingerprint["sha256"])} if isinstance(fingerprint, dict) else {}
    notes = {"digest": manifest.checksum, "task": manifest.task.task, **data}
    return {PREFIX + name: value for name, value in notes.items()}


def _test_figures(manifest: Manifest) -> dict[str, float]:
    named: dict[str, float] = {}
    for name, figure in figures(manifest.metrics).items():
        named[f"test/{name}"] = figure.value
        if figure.low is not None and figure.high is not None:
            named |= {f"test/{name}_low": figure.low, f"test/{name}_high": figure.high}
    return named


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
