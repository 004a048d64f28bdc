"""A command that is given again after its run has finished: nothing is done twice, and nothing is replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.bundle.tree import sha256
from bertline.errors import BundleError, TrainingError
from bertline.evaluation.report import FOLDER
from bertline.training.checkpoint import STATE, working_directory
from bertline.training.distillation.run import Distilled, distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.finished import RUN, Finished
from bertline.training.parallel.launch import carry_out
from bertline.training.pretraining.prepare import tokens_directory
from bertline.training.pretraining.run import Pretrained, pretrain
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.progress import Plan, Silent
from bertline.training.run import Trained, train
from bertline.training.settings import LoopSettings, TrainSettings
from tests.unit.training.conftest import sentences, write_csv


class Told(Silent):
    """Keeps what it is told; nothing may be trained."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def planned(self, plan: Plan) -> None:
        raise AssertionError("it trains")


def settings(model: Path, **changes: Any) -> TrainSettings:
    quick = {"model": str(model), "epochs": 2, "max_tokens": 32, "batch_tokens": 512, "precision": "fp32"}
    return TrainSettings(**{**quick, **changes})


@pytest.fixture(scope="module")
def trained(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(str(table), tmp_path_factory.mktemp("bundles") / "words", settings(model), Silent())


def again(recipe: Any, asked: LoopSettings, told: Silent, **arguments: Any) -> Any:
    return carry_out(recipe, asked, told, resume=True, **arguments)


def test_the_same_training_has_its_figures_at_once_and_changes_nothing(
    trained: Trained, model: Path, table: Path
) -> None:
    told, before = Told(), sha256(trained.bundle / "bertline.json")
    left = working_directory(trained.bundle)  # killed between the bundle and the end
    left.mkdir()
    (left / STATE).touch()
    asked = settings(model, checkpoint_every_s=5, restarts=1)  # which change no result
    finished = again(train, asked, told, source=str(table), out=trained.bundle)
    assert isinstance(finished, Finished)
    assert finished.headline() == trained.headline()
    assert finished.record == json.loads(json.dumps(trained.measured.evaluation.to_json()))
    assert finished.title == "16 test rows"
    assert told.notes == [
        f"{trained.bundle} is finished already: a run with the same data, settings and versions wrote it"
    ]
    assert sha256(trained.bundle / "bertline.json") == before
    assert not left.exists()


def test_another_training_is_refused_and_what_differs_is_named(
    trained: Trained, model: Path, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError) as error:
        again(train, settings(model, lr=1e-3, epochs=3), Told(), source=str(table), out=trained.bundle)
    assert str(error.value) == (
        f"{trained.bundle} already holds a bundle, and its run had another epochs, lr: choose another --out, or pass "
        "--overwrite to replace it"
    )
    other = write_csv(tmp_path / "other.csv", sentences(160, seed=9))
    with pytest.raises(TrainingError, match=r"its run had another data, evaluation data: choose another --out"):
        again(train, settings(model), Told(), source=str(other), out=trained.bundle)


def test_other_versions_may_train_another_model(
    trained: Trained, model: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertline.training.finished.__version__", "99.0")
    with pytest.raises(TrainingError, match=r"its run had another bertline version: choose another --out"):
        again(train, settings(model), Told(), source=str(table), out=trained.bundle)


def test_without_resume_a_bundle_is_in_the_way_as_before(trained: Trained, model: Path, table: Path) -> None:
    with pytest.raises(BundleError, match="already holds a bundle: choose another directory, or pass --overwrite"):
        carry_out(train, settings(model), Told(), resume=False, source=str(table), out=trained.bundle)


def test_with_overwrite_it_trains_again(trained: Trained, model: Path, table: Path) -> None:
    with pytest.raises(AssertionError, match="it trains"):
        again(train, settings(model), Told(), source=str(table), out=trained.bundle, overwrite=True)


def test_texts_to_adapt_to_are_compared_by_their_content(model: Path, table: Path, tmp_path: Path) -> None:
    texts, out = tmp_path / "texts.txt", tmp_path / "adapted"
    texts.write_text("\n".join(text for text, _ in sentences(40, seed=5)))
    asked = settings(model, adapt=(str(texts),), adapt_epochs=1, epochs=1)
    train(str(table), out, asked, Silent())
    assert isinstance(again(train, asked, Told(), source=str(table), out=out), Finished)
    texts.write_text("something else")
    with pytest.raises(TrainingError, match="its run had another text to adapt to: choose"):
        again(train, asked, Told(), source=str(table), out=out)


def test_a_bundle_without_a_record_or_with_a_damaged_file_is_no_success(
    model: Path, table: Path, tmp_path: Path
) -> None:
    out, asked = tmp_path / "words", settings(model, epochs=1)
    train(str(table), out, asked, Silent())
    with (out / "model.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        again(train, asked, Told(), source=str(table), out=out)
    (out / FOLDER / RUN).unlink()
    with pytest.raises(BundleError, match="already holds a bundle"):
        again(train, asked, Told(), source=str(table), out=out)


def test_several_processes_end_together(trained: Trained, model: Path, table: Path) -> None:
    told = Told()
    asked = settings(model, processes=2)
    finished = again(train, asked, told, source=str(table), out=trained.bundle)
    assert isinstance(finished, Finished)
    assert finished.headline() == trained.headline()
    assert len(told.notes) == 1
    with pytest.raises(TrainingError, match="its run had another lr"):
        again(train, settings(model, processes=2, lr=1e-3), Told(), source=str(table), out=trained.bundle)


def test_the_same_distillation_has_its_figures_at_once(trained: Trained, tmp_path: Path) -> None:
    texts, out = tmp_path / "more.txt", tmp_path / "small"
    texts.write_text("\n".join(text for text, _ in sentences(60, seed=3)))
    quick = {"layers": 1, "epochs": 1, "batch_tokens": 512, "precision": "fp32", "unlabelled": (str(texts),)}
    places = {"bundle": trained.bundle, "data": None, "out": out}
    made = distill(**places, settings=DistillSettings(**quick), progress=Silent())
    assert isinstance(made, Distilled)
    told, checksum = Told(), load(out).manifest.checksum
    finished = again(distill, DistillSettings(**quick), told, **places)
    assert isinstance(finished, Finished)
    assert finished.headline() == made.headline()
    record = json.loads(json.dumps(made.to_json()))
    record.pop("speed")  # it is measured anew by each run
    assert finished.record == record
    assert told.notes == [finished.sentence]
    assert load(out).manifest.checksum == checksum
    with pytest.raises(TrainingError, match=r"its run had another layers: choose another --out"):
        again(distill, DistillSettings(**{**quick, "layers": 2}), Told(), **places)


def test_the_same_pretraining_has_its_figures_at_once(model: Path, tmp_path: Path) -> None:
    texts, out = tmp_path / "texts.txt", tmp_path / "encoder"
    texts.write_text("\n".join(text for text, _ in sentences(200, seed=3)))
    quick = {"model": str(model), "sequence_tokens": 32, "batch_tokens": 512, "measurements": 1, "precision": "fp32"}
    made = pretrain([str(texts)], out, PretrainSettings(**quick), Silent())
    assert isinstance(made, Pretrained)
    tokens_directory(out).mkdir()  # killed before it was removed
    told, places = Told(), {"texts": [str(texts)], "out": out}
    finished = again(pretrain, PretrainSettings(**quick), told, **places)
    assert isinstance(finished, Finished)
    assert (finished.title, finished.headline()) == (made.title, made.headline())
    assert finished.record == json.loads(json.dumps(made.to_json()))
    assert told.notes == [finished.sentence]
    assert not tokens_directory(out).exists()
    texts.write_text(texts.read_text() + "\none more")
    with pytest.raises(TrainingError, match=r"already holds a pre-trained encoder, and its run had another texts: "):
        again(pretrain, PretrainSettings(**quick), Told(), **places)
