"""Killed with -9 in each step, at several of its writes, and started again: the state is whole, nothing is doubled."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from bertline.bundle import load
from bertline.lifecycle.retraining.run import STEPS, next_step
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.rollouts import Rollouts
from tests.forked import FORKING
from tests.retraining_killed import main
from tests.unit.lifecycle.retraining.conftest import World, make_world

PATIENCE_S = 300.0
MOMENTS = ("before", "1", "2", "4", "7", "after")


def started(world: World, step: str, when: str) -> int:
    """Exit code of a process of its own."""
    process = FORKING.Process(target=main, args=(str(world.folder), step, when))
    process.start()
    process.join(PATIENCE_S)
    code = process.exitcode
    assert code is not None, "it still runs"
    process.close()
    return code


def check_whole(world: World) -> None:
    """One challenger, one run in MLflow, one entry for each alias, and no litter."""
    journals = world.retrainer.home.journals()
    assert [one.outcome for one in journals] == ["challenger"]
    (journal,) = journals
    assert list(journal.done) == list(STEPS)
    assert world.deployments() == [("champion", 1), ("challenger", 2), ("shadow", 2)]
    with Database(world.registry.place) as database:
        versions = Catalogue(database).versions("films")
        assert Deployments(database, "drill").faults() == []
        last = Rollouts(database).last("films")
    assert last is not None
    assert (last.number, last.challenger, last.status) == (1, 2, "running")
    assert [one.version for one in versions] == [2, 1]
    client = MlflowClient(tracking_uri=world.registry.place, registry_uri=world.registry.place)
    experiment = client.get_experiment_by_name("bertline")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_id) == ("FINISHED", versions[0].run)
    curve = [one.step for one in client.get_metric_history(run.info.run_id, "train/loss")]
    assert curve == sorted(set(curve))  # every epoch once
    assert run.data.tags["bertline.gate"] == "yes"
    load(world.retrainer.home.folder(journal) / "bundle" / "films")
    home = world.retrainer.home.path
    assert [path.name for path in (home / "snapshots").iterdir() if not path.name.startswith(".")] == [
        journal.done["snapshot"]["sha256"]
    ]
    store = [path for path in Path(world.registry.bundles).iterdir() if path.name != "runs"]
    assert len([path for path in store if path.is_dir() and not path.name.startswith(".")]) == 2
    with closing(sqlite3.connect(world.folder / "models.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.drill
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_step_and_started_again(step: str, trained: Path, tmp_path: Path) -> None:
    world = make_world(tmp_path, trained)
    (world.folder / "settings.json").write_text(world.retrainer.settings.model_dump_json())
    for when in MOMENTS:
        assert started(world, step, when) == -signal.SIGKILL, when
        unfinished = world.retrainer.unfinished()
        assert unfinished is not None
        assert next_step(unfinished) == step
    assert started(world, step, "never") == 0
    check_whole(world)
