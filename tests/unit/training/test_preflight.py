"""What would make a run fail is said before its hours; what happens during them leaves something to go on from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bertline.bundle import load
from bertline.destination import check_room
from bertline.errors import BertlineError, CheckpointError, DataError, DestinationError, TrainingError, UsageError
from bertline.testing.tiny import tiny_classifier, write_tiny_bundle
from bertline.training.checkpoint import STATE, state_bytes, working_directory
from bertline.training.distillation.run import distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.preflight import check_disk
from bertline.training.progress import Silent, Step
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.disks import disk, fill
from tests.unit.training.conftest import sentences, write_csv


def settings(name: Path, **changes: Any) -> TrainSettings:
    quick = {"model": str(name), "epochs": 2, "max_tokens": 32, "batch_tokens": 512, "precision": "fp32", "lr": 2e-3}
    return TrainSettings(**{**quick, **changes})


class Filling(Silent):
    """Fills a disk when a note or a step comes."""

    def __init__(self, place: Path, *, at: str | int) -> None:
        self.place, self.at = place, at
        self.filler: Path | None = None

    def note(self, text: str) -> None:
        if text == self.at:
            self.filler = fill(self.place)

    def stepped(self, step: Step) -> None:
        if step.step == self.at:
            self.filler = fill(self.place)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are not read to their end, and nothing is searched for duplicates."""

    def reached(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a table was read")

    monkeypatch.setattr("bertline.training.prepare.read_examples", reached)
    monkeypatch.setattr("bertline.training.distillation.transfer.cross_duplicates", reached)
    monkeypatch.setattr("bertline.training.distillation.held_out.read_examples", reached)


def broken_models(model: Path, folder: Path) -> dict[str, Path]:
    """Copies of a checkpoint that lack something."""
    found = {}
    for what in ("weights", "config.json", "vocab.txt", "shape"):
        copy = folder / f"without-{what}"
        copy.mkdir()
        for file in model.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        if what == "shape":
            config = json.loads((copy / "config.json").read_text())
            (copy / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))
        else:
            for name in {"weights": ["model.safetensors"], "vocab.txt": ["vocab.txt", "tokenizer.json"]}.get(
                what, [what]
            ):
                (copy / name).unlink(missing_ok=True)
        found[what] = copy
    return found


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("what", ["weights", "config.json", "vocab.txt", "shape"])
def test_a_model_is_looked_at_before_a_table(what: str, model: Path, table: Path, tmp_path: Path) -> None:
    """T18."""
    broken = broken_models(model, tmp_path)[what]
    with pytest.raises(CheckpointError, match=str(broken)):
        train(str(table), tmp_path / "out", settings(broken), Silent())
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": "./none"}, CheckpointError, r"\./none is not a directory"),
        ({"max_tokens": 65}, TrainingError, r"--max-tokens is 65, but .* has 64 positions"),
        ({"device": "cuda"}, TrainingError, r"--device is cuda, but torch sees no GPU"),
        ({"eval_data": Path("none.csv")}, DataError, r"none\.csv"),
        ({"eval_data": Path(__file__)}, DataError, r"test_preflight\.py"),
    ],
)
def test_settings_are_looked_at_before_a_table(
    changes: dict[str, Any], error: type[BertlineError], message: str, model: Path, table: Path, tmp_path: Path
) -> None:
    """T18."""
    with pytest.raises(error, match=message):
        train(str(table), tmp_path / "out", settings(model, **changes), Silent())


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("package", ["jinja2", "sklearn"])
def test_packages_of_the_end_are_looked_for_at_the_start(
    package: str, model: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: Jinja was missed when the report was to be written, after the training."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"not installed: pip install 'bertline\[train\]'"):
        train(str(table), tmp_path / "out", settings(model), Silent())


@pytest.mark.usefixtures("unread")
def test_a_teacher_a_start_and_the_last_file_are_looked_at_before_texts_are_read(table: Path, tmp_path: Path) -> None:
    """T18: in distill."""
    write_tiny_bundle(tmp_path / "teacher", engine=True, rows=20)
    write_csv(tmp_path / "other.csv", [])
    quick: dict[str, Any] = {"layers": 1, "precision": "fp32"}
    for changes, message in (
        ({"start": tmp_path / "none"}, "none"),
        ({"layers": 7}, "--layers is 7, but the teacher has 2 layers"),
        ({"device": "cuda"}, "torch sees no GPU"),
        ({"unlabelled": (str(tmp_path / "none.txt"),)}, "none.txt"),
        ({"unlabelled": (str(tmp_path / "other.csv"),)}, "other.csv has a header line but no rows"),
    ):
        with pytest.raises(BertlineError, match=message):
            distill(
                tmp_path / "teacher", str(table), tmp_path / "out", DistillSettings(**{**quick, **changes}), Silent()
            )


def test_the_required_disk_space_is_what_a_run_uses(model: Path, table: Path, tmp_path: Path) -> None:
    """T12: two states, of which the old one counts where a run is resumed."""
    classifier = tiny_classifier(family="bert", labels=2, pooling="cls")
    weights = 4 * sum(one.numel() for one in classifier.parameters())
    asked: list[int] = []

    def note(path: Path, what: str, needed_bytes: int, *, largest_bytes: int) -> None:
        asked.append(needed_bytes)
        check_room(path, what, needed_bytes, largest_bytes=largest_bytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertline.training.preflight.check_room", note)
        check_disk(tmp_path / "out", classifier)
        sizes: list[int] = []
        directory = working_directory(tmp_path / "out")

        class Sizes(Silent):
            def stepped(self, step: Step) -> None:
                sizes.append(state_bytes(directory))

            def note(self, text: str) -> None:
                sizes.append(state_bytes(directory))

        train(str(table), tmp_path / "out", settings(model, epochs=2), Sizes())
        directory.mkdir()
        (directory / STATE).write_bytes(b"\0" * 4 * weights)
        check_disk(tmp_path / "out", classifier)
    assert asked[0] == 8 * weights
    assert asked[-1] == 4 * weights
    assert 0.9 < max(sizes) / (4 * weights) < 1.1
    assert 0.9 < sizes[-1] / weights < 1.1, "at the end only the weights are left"


@pytest.mark.parametrize("at", [2, "Evaluating on the test rows"])
def test_a_disk_that_fills_meanwhile_costs_no_training(at: int | str, model: Path, table: Path, tmp_path: Path) -> None:
    """T12: the state survives, the sentence says how to go on, and the bundle is that of a run that nothing stopped."""
    whole = train(str(table), tmp_path / "whole", settings(model), Silent())
    with disk(tmp_path / "disk", megabytes=24) as place:
        filling = Filling(place, at=at)
        quick = settings(model, checkpoint_every_s=1e-6)
        error = DestinationError if isinstance(at, str) else TrainingError
        with pytest.raises(error, match=r"No space left on device.*run the same command with --resume$"):
            train(str(table), place / "out", quick, filling)
        assert filling.filler is not None
        filling.filler.unlink()
        assert sorted(path.name for path in place.iterdir()) == [".out.training"]
        resumed = train(str(table), place / "out", quick, Silent(), resume=True)
        assert (resumed.bundle / "model.safetensors").read_bytes() == (whole.bundle / "model.safetensors").read_bytes()
        assert [path.name for path in place.iterdir()] == ["out"]


def test_a_disk_that_is_full_before_the_first_state(model: Path, table: Path, tmp_path: Path) -> None:
    """T12: nothing is kept, so nothing is in the way."""
    with disk(tmp_path / "disk", megabytes=24) as place:
        filling = Filling(place, at=1)
        with pytest.raises(TrainingError, match=r"there is no earlier state: run the same command again$"):
            train(str(table), place / "out", settings(model, checkpoint_every_s=1e-6), filling)
        assert filling.filler is not None
        filling.filler.unlink()
        assert list(place.iterdir()) == []
        train(str(table), place / "out", settings(model, epochs=1), Silent())


def test_two_trainings_into_one_place(model: Path, tmp_path: Path) -> None:
    """T13: the second is refused at once, with the process of the first, whose bundle comes out whole."""
    out, data = tmp_path / "out", write_csv(tmp_path / "rows.csv", sentences(400))
    flags = f"--model {model} --out {out} --epochs 3 --max-tokens 32 --batch-tokens 256 --precision fp32"
    command = [sys.executable, "-m", "bertline.cli.main", "train", str(data), *flags.split()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        told = first.stderr.readline()  # it has begun
        for more in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(DestinationError, match=rf"out is being written by process {first.pid} \(main.py train"):
                train(str(data), out, settings(model), Silent(), **more)
        told += first.stderr.read()
        assert first.wait() == 0, told
    assert load(out).manifest.training["epochs"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rows.csv"]
