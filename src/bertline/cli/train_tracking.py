"""``bertline train --track`` and ``--register``: the run in MLflow, and the bundle as a version of a model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertline.errors import BertlineError, Interrupted, RegistryError

if TYPE_CHECKING:
    from bertline.registry.settings import RegistrySettings
    from bertline.registry.tracking import TrackedRun
    from bertline.training.finished import Finished
    from bertline.training.run import Trained
    from bertline.training.settings import TrainSettings


def leads() -> bool:
    """Whether this process is the only one of a training, or the first by the launcher's variables."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK") == "0"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of a run.

    Attributes:
        settings: of the registry.
        experiment: MLflow's group of runs.
        name: model of which the bundle becomes a version; None: it is not added.
    """

    settings: RegistrySettings
    experiment: str
    name: str | None

    @contextmanager
    def run(self, out: Path, settings: TrainSettings, *, wanted: bool) -> Iterator[TrackedRun | None]:
        """Within: a run whose end is recorded, whatever it is; None if it is not ``wanted``."""
        if not wanted:
            yield None
            return
        from bertline.registry.person import whoever
        from bertline.registry.reference import check_name
        from bertline.registry.tracking import TrackedRun

        if self.name is not None:
            check_name(self.name)  # before anything is trained
        given = settings.model_dump(mode="json", include=settings.model_fields_set)
        tracked = TrackedRun(self.settings, self.experiment, out, given, whoever())
        try:
            yield tracked
        except (Interrupted, KeyboardInterrupt):
            tracked.end("KILLED")
            raise
        except BaseException:
            tracked.end("FAILED")
            raise

    def finish(self, tracked: TrackedRun, trained: Trained) -> None:
        """Record the result, and add the bundle to the registry.

        Raises:
            BertlineError: the registry or its store cannot be written; the bundle is whole.
        """
        try:
            run = tracked.finish(trained.bundle, trained.settings.model_dump(mode="json"), trained.history)
            typer.echo(f"Tracked as the MLflow run {run}, experiment {self.experiment}", err=True)
            self._add(trained.bundle, run)
        except BertlineError as error:
            tracked.end("FINISHED")  # the training did
            raise self._unregistered(error, trained.bundle) from None

    def again(self, tracked: TrackedRun | None, finished: Finished) -> None:
        """Add the bundle of a run that was finished before, unless it is a version already; no run is recorded.

        Raises:
            BertlineError: the registry or its store cannot be written; the bundle is whole.
        """
        if tracked is None:
            return
        try:
            self._add(finished.out, None)
        except BertlineError as error:
            raise self._unregistered(error, finished.out) from None
        finally:
            tracked.end("FINISHED")

    def _add(self, bundle: Path, run: str | None) -> None:
        from bertline.registry.add import add
        from bertline.registry.person import whoever

        if self.name is not None:
            added = add(bundle, self.name, self.settings, by=whoever(), run=run)
            typer.echo(f"Registered as {added.version}: bertline models show {added.version}", err=True)

    def _unregistered(self, error: BertlineError, bundle: Path) -> RegistryError:
        name = self.name or "NAME"
        return RegistryError(
            f"{error}; the bundle is whole, add it later with bertline models add {bundle} --name {name}"
        )
