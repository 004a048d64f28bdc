"""The command as one types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.cli.main import main
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from tests.kept import keep, store_in
from tests.unit.lifecycle.retraining.conftest import World, make_world, model, no_fresh_process, trained

__all__ = ["model", "no_fresh_process", "trained"]
Retrain = Callable[..., int]
RELAXED = "--max-calibration-error 1 --max-slower 50 --timed-texts 10 --margin 40 --slice-margin 90"
FLAGS = (*RELAXED.split(), "--no-shadow")


@pytest.fixture
def world(tmp_path: Path, trained: Path) -> World:
    return make_world(tmp_path, trained)


@pytest.fixture
def retrain(world: World, monkeypatch: pytest.MonkeyPatch) -> Retrain:
    monkeypatch.setenv("BERTLINE_REGISTRY", world.registry.place)
    monkeypatch.setenv("BERTLINE_STORE", world.registry.bundles)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(world.folder)
    (world.folder / "bertline.toml").write_text(
        f'[retrain]\ndata = ["{world.table}"]\nfrozen = ["{world.frozen}"]\ndirectory = "{world.folder}/runs"\n'
    )

    def run(*flags: str) -> int:
        monkeypatch.setattr(sys, "argv", ["bertline", "retrain", "films", *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


def test_from_a_dry_run_to_a_challenger_and_its_history(
    retrain: Retrain, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retrain("--dry-run", "--labels", "10") == 0
    assert capsys.readouterr().out == "against: 0 new labelled rows, 10 make a run due\nnothing would be done\n"
    assert retrain("--dry-run", "--now") == 0
    assert capsys.readouterr().out == (
        f"for a run: asked for by hand\nwould train films on {world.table}, from the base, in at most 120 min, let the "
        f"gate judge by {world.frozen}, and make it the challenger, in the shadow\n"
    )
    assert retrain("--history") == 0
    assert "the model was not retrained yet" in capsys.readouterr().err
    assert retrain("--now", "--json", *FLAGS) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["decision"] == {"due": True, "because": ["asked for by hand"], "against": []}
    assert (result["run"]["outcome"], result["run"]["done"]["shadow"]) == ("challenger", {"rollout": None})
    assert world.deployments() == [("champion", 1), ("challenger", 2)]
    assert retrain("--labels", "10") == 0
    assert capsys.readouterr().out.startswith(
        "nothing is due: 0 new labelled rows, 10 make a run due; cools down until "
    )
    assert retrain("--history") == 0
    shown = capsys.readouterr().out
    assert "films:2 is the challenger; the champion is films:1" in shown
    assert retrain("--history", "--json") == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [result["run"]["id"]]


def test_a_challenger_that_may_not_is_an_exit_code(retrain: Retrain, capsys: pytest.CaptureFixture[str]) -> None:
    assert retrain("--now", "--minimum", "accuracy=1.01", *FLAGS) == 1
    error = capsys.readouterr().err
    assert "error: the gate said no: bounds · frozen.csv: " in error
    assert "; the champion stays films:1; read " in error
    assert error.endswith("gate.html\n")


def test_flags_that_contradict_each_other(retrain: Retrain, capsys: pytest.CaptureFixture[str]) -> None:
    assert retrain("--watch", "--dry-run") == 2
    assert capsys.readouterr().err == (
        "error: --now, --dry-run, --watch and --history do not go together: give one, or --now --dry-run\n"
    )


def test_fallen_accuracy_is_a_reason(
    retrain: Retrain, world: World, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = load(trained / "films").manifest
    given, correct = manifest.task.labels
    url = f"sqlite:///{world.folder / 'predictions.db'}"
    with store_in(world.folder) as store:
        answers = [{"label": given, "probabilities": {given: 0.9, correct: 0.1}}] * 150
        keep(store, answers, digest=manifest.checksum, spec=manifest.task, model="films")
        receive(store, [Feedback(f"r{n}", correct) for n in range(150)])
    flags = ("--accuracy", url)
    assert retrain(*flags, "--dry-run", "--hold", "1") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("for a run: accuracy fell: 0.0\u202f% on 150 labels since ")
    assert " was expected, found 1 of 1 times in a row\nwould train films on " in shown
    for _ in range(2):  # the same labels are one finding
        assert retrain(*flags) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("nothing is due: accuracy fell: ")
        assert shown.endswith(" was expected, found 1 of 2 times in a row\n")
    assert retrain(*flags, "--dry-run", "--served-as", "others") == 0
    assert "against: there is no feedback on answers of the champion as others\n" in capsys.readouterr().out
