"""MLflow as a library: the only file that imports it, and only to write. No server of MLflow is needed or started.

Its SQL stores are used directly, with the registry's database, so neither ``./mlruns`` nor ``./mlflow.db`` is made and
no global tracking URI is set. mlflow-skinny from 3.16.1 on, because earlier servers had a default password.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from bertline.errors import RegistryError, needing
from bertline.registry.database import Database

os.environ["MLFLOW_CONFIGURE_LOGGING"] = "false"  # of handlers that print MLflow's own lines
with (
    needing("the registry of models needs {}", "mlflow", "alembic", "sqlparse", extra="registry"),
    warnings.catch_warnings(),
):
    warnings.simplefilter("ignore")  # SQLAlchemy's about MLflow, which MLflow's users cannot mend
    from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunStatus, RunTag, ViewType
    from mlflow.entities.model_registry import ModelVersionTag
    from mlflow.exceptions import MlflowException
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Models
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Runs

for _logger in ("mlflow", "alembic"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL)  # what they say is in the exception

MOST_PARAMETERS = 100  # of one call
Status = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run in MLflow: its id, and the address of its artefacts, a directory or ``s3://…``."""

    id: str
    artefacts: str


class Mlflow:
    """MLflow's tables in the registry's database; they are made if they are missing.

    Args:
        database: of the registry.
        artefacts: of runs, a directory or ``s3://…``.

    Raises:
        UsageError: MLflow is not installed.
        RegistryError: its tables are of another release, or cannot be made.
    """

    def __init__(self, database: Database, artefacts: str) -> None:
        self._place = database.place
        url = database.url.render_as_string(hide_password=False)
        # MLflow has a lock against two processes that make its tables, but only for those of one machine.
        with self._errors(), database.alone():
            self._runs, self._models = Runs(url, artefacts), Models(url)

    def add_version(self, name: str, source: str, tags: Mapping[str, str], run: str | None = None) -> int:
        """Register a version of a model, and the model if it is new; returns the version's number.

        The version and its tags are one transaction of MLflow's.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._errors():
            with suppress(MlflowException):  # it is there
                self._models.create_registered_model(name)
            notes = [ModelVersionTag(key, value) for key, value in tags.items()]
            return int(self._models.create_model_version(name, source, run_id=run, tags=notes).version)

    def start_run(
        self, experiment: str, name: str, user: str, parameters: Mapping[str, str], tags: Mapping[str, str]
    ) -> StartedRun:
        """Start a run in an experiment, which is made if it is new.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._errors():
            known = self._runs.get_experiment_by_name(experiment)
            if known is None:
                with suppress(MlflowException):  # another process made it meanwhile
                    self._runs.create_experiment(experiment)
                known = self._runs.get_experiment_by_name(experiment)
            notes = [RunTag(key, value) for key, value in tags.items()]
            info = self._runs.create_run(known.experiment_id, user, _now_ms(), notes, name).info
        self.log_parameters(info.run_id, parameters)
        return StartedRun(info.run_id, info.artifact_uri)

    def run_with_tag(self, experiment: str, key: str, value: str) -> StartedRun | None:
        """The run of an experiment that has a tag; None if there is none. It is marked as running again.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._errors():
            known = self._runs.get_experiment_by_name(experiment)
            wanted = f"tags.`{key}` = '{value}'"
            some = known and self._runs.search_runs([known.experiment_id], wanted, ViewType.ACTIVE_ONLY, max_results=1)
            if not some:
                return None
            info = some[0].info
            self._runs.update_run_info(info.run_id, RunStatus.RUNNING, None, None)
            return StartedRun(info.run_id, info.artifact_uri)

    def steps_of(self, run: str, figure: str) -> set[int]:
        """The steps at which a run has a figure.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._errors():
            return {one.step for one in self._runs.get_metric_history(run, figure)}

    def artefacts_of(self, run: str) -> str:
        """The address of a run's artefacts.

        Raises:
            RegistryError: there is no such run, or the database cannot be used.
        """
        with self._errors():
            return str(self._runs.get_run(run).info.artifact_uri)

    def log_parameters(self, run: str, parameters: Mapping[str, str]) -> None:
        """Record settings of a run, each of them once.

        Raises:
            RegistryError: the database cannot be used.
        """
        each = [Param(key, value) for key, value in parameters.items()]
        with self._errors():
            for start in range(0, len(each), MOST_PARAMETERS):
                self._runs.log_batch(run, [], each[start : start + MOST_PARAMETERS], [])

    def log(self, run: str, figures: Mapping[str, float], step: int = 0, tags: Mapping[str, str] | None = None) -> None:
        """Record figures of a step, and tags.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._errors():
            now_ms = _now_ms()
            metrics = [Metric(key, value, now_ms, step) for key, value in figures.items()]
            self._runs.log_batch(run, metrics, [], [RunTag(key, value) for key, value in (tags or {}).items()])

    def log_data(self, run: str, name: str, digest: str, source: str, profile: str) -> None:
        """Record the data that a run learned from.

        Raises:
            RegistryError: the database cannot be used.
        """
        dataset = Dataset(name[:500], digest[:36], "local", source, profile=profile)  # no longer in MLflow's columns
        with self._errors():
            self._runs.log_inputs(run, [DatasetInput(dataset)])

    def end_run(self, run: str, status: Status) -> None:
        """Record that a run has ended.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._errors():
            self._runs.update_run_info(run, RunStatus.from_string(status), _now_ms(), None)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except MlflowException as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise RegistryError(f"MLflow cannot use the registry {self._place}: {reason}") from None


def _now_ms() -> int:
    return int(time.time() * 1000)
