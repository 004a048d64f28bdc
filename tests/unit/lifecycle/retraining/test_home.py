from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bertline.errors import DestinationError
from bertline.lifecycle.retraining.home import Home, State
from bertline.lifecycle.retraining.journal import Journal, write

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def begin(home: Home, id_: str, snapshot: str) -> Journal:
    journal = Journal(id_, "films", "2026-11-30T00:00:00Z", ("x",), 1, "ab", {}, {"snapshot": {"sha256": snapshot}})
    write(home.folder(journal), journal)
    (home.folder(journal) / "bundle" / "films").mkdir(parents=True)
    (home.folder(journal) / "verdict.json").touch()
    (home.path / "snapshots" / snapshot).mkdir(parents=True, exist_ok=True)
    return journal


def test_only_the_newest_runs_keep_their_rows_and_bundles(tmp_path: Path) -> None:
    home = Home(tmp_path, "films")
    old, *new = [begin(home, f"{n}", snapshot) for n, snapshot in enumerate("abb")]
    home.tidy(2)
    assert not (home.folder(old) / "bundle").exists()
    assert (home.folder(old) / "verdict.json").exists()
    assert all((home.folder(one) / "bundle" / "films").is_dir() for one in new)
    assert [path.name for path in (home.path / "snapshots").iterdir()] == ["b"]
    assert [one.id for one in home.journals()] == ["0", "1", "2"]


def test_the_unfinished_run_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path, "films")
    assert home.unfinished() is None
    first, second = begin(home, "1", "a"), begin(home, "2", "b")
    assert home.unfinished() == second
    for one in (first, second):
        write(home.folder(one), one.over("failed", "so", NOW))
    assert home.unfinished() is None


def test_a_run_that_was_killed_before_its_record_is_none(tmp_path: Path) -> None:
    home = Home(tmp_path, "films")
    (home.path / "runs" / "1").mkdir(parents=True)
    assert home.journals() == []


def test_the_state_of_triggers_comes_back(tmp_path: Path) -> None:
    home = Home(tmp_path, "films")
    assert home.state() == State()
    state = State(2, "ab", armed=False, champion="cd", counted=7, falls=1, feedback="e", steady=False, labels_since="t")
    home.remember(state)
    assert home.state() == state
    (home.path / "state.json").write_text("[]")
    with pytest.raises(DestinationError, match=r"state.json is not the state of triggers .*: remove it"):
        home.state()


def test_names_of_models_are_names_of_directories(tmp_path: Path) -> None:
    assert Home(tmp_path, "Filme für Übung").path.parent == tmp_path
    assert Home(None, "films").path.parts[-2:] == ("retraining", "films")


def test_nobody_else_reads_the_rows(tmp_path: Path) -> None:
    home = Home(tmp_path, "films")
    with home.alone():
        assert home.path.stat().st_mode & 0o077 == 0
