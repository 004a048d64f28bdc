from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from bertline.bundle import load
from bertline.bundle.probes import read_probes
from bertline.bundle.reference import ReferenceRows, read_reference
from bertline.encoder.checkpoint import load_classifier
from bertline.errors import BundleError, DataError, Interrupted, TrainingError, UsageError
from bertline.inference import load_predictor
from bertline.testing.tiny import write_tiny_bundle
from bertline.training.checkpoint import working_directory
from bertline.training.distillation.pruning import busy_heads
from bertline.training.distillation.run import Distilled, distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.teacher import FOLDER
from bertline.training.progress import Silent, Step
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences, write_csv


class Told(Silent):
    """Keeps what it is told; stops after a given step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.notes: list[str] = []
        self.stop_at = stop_at

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, step: Step) -> None:
        if step.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def settings(**changes: Any) -> DistillSettings:
    quick = {"layers": 1, "epochs": 2, "batch_tokens": 512, "precision": "fp32", "lr": 2e-3, "checkpoint_every_s": 1e9}
    return DistillSettings(**{**quick, **changes})


@pytest.fixture(scope="module")
def teacher(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that knows a little; of its 160 rows 16 are its validation and 16 its test rows."""
    out = tmp_path_factory.mktemp("teachers") / "words"
    quick = {"epochs": 4, "max_tokens": 32, "batch_tokens": 512, "precision": "fp32", "lr": 3e-3}
    train(str(table), out, TrainSettings(model=str(model), **quick), Silent())
    return out


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "more.txt"
    path.write_text("\n".join(text for text, _ in sentences(240, seed=3)))
    return path


@pytest.fixture(scope="module")
def distilled(teacher: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Distilled, Told]:
    told, out = Told(), tmp_path_factory.mktemp("students") / "small"
    changes = settings(epochs=15, patience=15, unlabelled=(str(texts),))
    return distill(teacher, None, out, changes, told), told


def test_the_student_comes_closer_to_its_teacher(distilled: tuple[Distilled, Told], teacher: Path, texts: Path) -> None:
    first, *_, last = distilled[0].history
    assert last.train_loss < first.train_loss / 2
    read = texts.read_text().splitlines()
    own, wanted = (load_predictor(one).score(read).logits.argmax(1) for one in (distilled[0].bundle, teacher))
    assert np.mean(own == wanted) >= 0.65  # by chance: p < 1e-5 on 240 texts


def test_the_bundle_verifies_and_records_its_lineage(distilled: tuple[Distilled, Told], teacher: Path) -> None:
    result, origin = distilled[0], load(teacher)
    manifest = load(result.bundle).manifest
    assert manifest.lineage["teacher"] == "words"
    assert manifest.lineage["teacher_version"] == origin.version
    assert manifest.lineage["layers"] == [1]
    assert manifest.lineage["base_model"] == "tiny"
    assert (manifest.labels, manifest.max_tokens) == (origin.manifest.labels, origin.manifest.max_tokens)
    assert json.loads((result.bundle / "config.json").read_text())["num_hidden_layers"] == 1
    assert (result.teacher.layers, result.student.layers) == (2, 1)
    assert result.student.parameters < result.teacher.parameters


def test_its_figures_equal_the_bundles_on_the_test_rows(distilled: tuple[Distilled, Told], teacher: Path) -> None:
    result = distilled[0]
    metrics = load(result.bundle).manifest.metrics
    rows = read_reference(result.bundle, "test", ("bad", "good"))
    right = [
        int((load_predictor(one).score([str(text) for text in rows.inputs]).logits.argmax(1) == truth_of(rows)).sum())
        for one in (result.bundle, teacher)
    ]
    assert metrics["accuracy"]["value"] == right[0] / len(rows) == result.compared.test.scores[0].value
    assert metrics["baselines"]["teacher"]["accuracy"]["value"] == right[1] / len(rows)
    assert metrics["kept"] == json.loads(json.dumps(result.compared.test.to_json()))
    assert metrics["kept"]["value"] == pytest.approx(right[0] / right[1])
    assert metrics["rows"] == len(rows) == 16
    assert "| kept |" in (result.bundle / "README.md").read_text()
    facts = dict(json.loads((result.bundle / "report" / "report.json").read_text())["facts"])
    assert facts["Teacher"].startswith("words, version ")


def test_it_has_everything_that_a_trained_bundle_has(distilled: tuple[Distilled, Told], teacher: Path) -> None:
    def files(bundle: Path) -> set[str]:
        # The linear model of words depends on whether the teacher's training found it the better one.
        return set(load(bundle).manifest.files) - {"words/model.npz"}

    assert files(distilled[0].bundle) == files(teacher)
    assert load_predictor(distilled[0].bundle, engine="fp32").engine == "fp32"
    assert len(read_probes(distilled[0].bundle).texts) == 16
    for split in ("validation", "test"):
        one, other = (read_reference(path, split, ("bad", "good")) for path in (distilled[0].bundle, teacher))
        assert one == other


def test_both_are_timed_with_their_fp32_engines(distilled: tuple[Distilled, Told]) -> None:
    speed = distilled[0].speed
    assert speed.engine == "fp32"
    assert min(speed.teacher_texts_s, speed.student_texts_s) > 0
    assert speed.ratio == speed.student_texts_s / speed.teacher_texts_s


@pytest.fixture(scope="module")
def narrowed(
    distilled: tuple[Distilled, Told], teacher: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Distilled, Told]:
    """The second distillation, from the first one's student."""
    told, out = Told(), tmp_path_factory.mktemp("narrow") / "narrow"
    changes = settings(layers=None, start=distilled[0].bundle, feed_forward=16, unlabelled=(str(texts),), epochs=4)
    return distill(teacher, None, out, changes, told), told


def test_a_second_distillation_starts_near_the_first_ones_end_and_is_narrower(
    distilled: tuple[Distilled, Told], narrowed: tuple[Distilled, Told]
) -> None:
    first, second = distilled[0], narrowed[0]
    assert "Choosing 16 of 64 feed-forward neurons in each layer" in narrowed[1].notes
    assert second.history[0].train_loss < first.history[0].train_loss / 2
    assert second.history[-1].train_loss < second.history[0].train_loss
    assert (second.student.layers, second.student.feed_forward) == (1, 16)
    assert first.student.feed_forward == second.teacher.feed_forward == 64
    assert first.student.parameters - second.student.parameters == 48 * (32 + 1 + 32)


def test_the_bundle_records_its_start_and_width(
    distilled: tuple[Distilled, Told], narrowed: tuple[Distilled, Told], teacher: Path
) -> None:
    bundle, start = narrowed[0].bundle, load(distilled[0].bundle)
    manifest = load(bundle).manifest
    assert manifest.lineage == {
        "base_model": "tiny",
        "teacher": "words",
        "teacher_version": load(teacher).version,
        "layers": [1],
        "start": "small",
        "start_version": start.version,
        "feed_forward": 16,
        "feed_forward_of_start": 64,
    }
    assert (manifest.training["layers"], manifest.training["feed_forward"]) == (1, 16)
    assert "start" not in manifest.training
    assert json.loads((bundle / "config.json").read_text())["intermediate_size"] == 16
    facts = dict(json.loads((bundle / "report" / "report.json").read_text())["facts"])
    assert facts["Start"] == f"small, version {start.version}, from the teacher’s layers 2"
    assert facts["Feed-forward networks"].startswith("16 of 64 neurons in each layer: those without which the answers")
    card = (bundle / "README.md").read_text()
    for entry in ("| start | small |", f"| start version | {start.version} |", "| feed forward of start | 64 |"):
        assert entry in card
    of_first = dict(json.loads((distilled[0].bundle / "report" / "report.json").read_text())["facts"])
    assert of_first["Start"] == "the teacher’s layers 2"
    assert "Feed-forward networks" not in of_first
    assert start.manifest.training["feed_forward"] == 64


def truth_of(rows: ReferenceRows) -> np.ndarray[Any, Any]:
    return np.array([("bad", "good").index(str(one)) for one in rows.targets])


def test_validation_figures_match_the_three_bundles(
    distilled: tuple[Distilled, Told], narrowed: tuple[Distilled, Told], teacher: Path
) -> None:
    rows = read_reference(teacher, "validation", ("bad", "good"))
    bundles = (teacher, distilled[0].bundle, narrowed[0].bundle)
    wanted, start, own = (load_predictor(one).score([*map(str, rows.inputs)]).logits for one in bundles)
    said: Any = load(narrowed[0].bundle).manifest.metrics["validation"]
    assert said == json.loads(json.dumps({"rows": len(rows), **narrowed[0].compared.on_validation()}))
    for found, logits in ((said, own), (said["start"], start)):
        assert found["agreement"]["value"] == np.mean(logits.argmax(1) == wanted.argmax(1))
        assert found["accuracy"]["value"] == np.mean(logits.argmax(1) == truth_of(rows))
    assert distilled[0].compared.start is None
    assert narrowed[0].compared.start == distilled[0].compared.validation
    facts = dict(json.loads((narrowed[0].bundle / "report" / "report.json").read_text())["facts"])
    assert (
        f"; the start: the teacher’s answer on {100 * said['start']['agreement']['value']:.1f}"
        in (facts["On the validation rows"])
    )


def test_a_student_of_the_teachers_layers_can_be_narrow_at_once(teacher: Path, texts: Path, tmp_path: Path) -> None:
    result = distill(teacher, str(texts), tmp_path / "narrow", settings(feed_forward=24, epochs=1), Silent())
    assert (result.student.layers, result.student.feed_forward) == (1, 24)
    lineage = load(result.bundle).manifest.lineage
    assert (lineage["layers"], lineage["feed_forward"], lineage["feed_forward_of_start"]) == ([1], 24, 64)
    assert "start" not in lineage


@pytest.mark.parametrize("relations", [0.0, 1.0])
def test_pruned_heads_stay_pruned_in_every_engine(teacher: Path, texts: Path, tmp_path: Path, relations: float) -> None:
    out, told = tmp_path / "fewer", Told()
    asked = settings(layers=2, attention_heads=1, epochs=1, value_relations=relations)
    result = distill(teacher, str(texts), out, asked, told)
    assert told.notes.index("Choosing 1 of 4 attention heads in each layer") + 1 == told.notes.index(
        "Attention heads by layer: 1, 4"
    )
    assert (result.teacher.attention_heads, result.student.attention_heads) == (8, 5)
    assert result.teacher.parameters - result.student.parameters == 3 * 8 * (4 * 32 + 3)
    classifier = load_classifier(out)
    assert busy_heads(classifier) == [1, 4]
    assert load(out).manifest.lineage["attention_heads"] == [1, 4]
    facts = dict(json.loads((out / "report" / "report.json").read_text())["facts"])
    assert facts["Attention heads"].startswith("1, 4 of 4 by layer: those without which the answers move most")
    with (out / "model.onnx").open("rb") as stream:
        attention = [one for one in onnx.load(stream).graph.node if one.op_type == "Attention"]
    assert [[one.i for one in node.attribute if one.name == "q_num_heads"] for node in attention] == [[1]]
    again = distill(
        teacher, str(texts), tmp_path / "again", settings(layers=None, start=out, epochs=1, lr=1e-3), Silent()
    )
    assert busy_heads(load_classifier(again.bundle)) == [1, 4]


def test_a_second_distillation_does_not_write_over_its_start(
    distilled: tuple[Distilled, Told], teacher: Path, texts: Path
) -> None:
    start = distilled[0].bundle
    with pytest.raises(UsageError, match=r"--out is the student of --start \(.*small\): choose another"):
        distill(teacher, str(texts), start, settings(start=start), Silent(), overwrite=True)


def test_no_unfinished_state_is_left(distilled: tuple[Distilled, Told]) -> None:
    assert not working_directory(distilled[0].bundle).exists()


def test_held_out_rows_are_kept_out_of_the_transfer_texts(teacher: Path, table: Path, tmp_path: Path) -> None:
    told = Told()
    distill(teacher, str(table), tmp_path / "small", settings(epochs=1), told)
    assert f"Transfer texts: 128 of {table}" in told.notes
    assert "Held-out rows among them: 32 exact and 0 near left out" in told.notes


@pytest.mark.parametrize(("step", "relations", "width"), [(3, 0.0, None), (9, 0.5, None), (5, 0.0, 16)])
def test_a_stopped_run_resumes_to_the_weights_of_one_that_was_not(
    teacher: Path, texts: Path, tmp_path: Path, step: int, relations: float, width: int | None
) -> None:
    asked = settings(unlabelled=(str(texts),), dropout=0.1, value_relations=relations, feed_forward=width)
    distill(teacher, None, tmp_path / "whole", asked, Silent())
    cut = tmp_path / "cut"
    with pytest.raises(Interrupted, match=rf"stopped at step {step} of \d+: run the same command with --resume"):
        distill(teacher, None, cut, asked, Told(stop_at=step))
    assert not cut.exists()
    told = Told()
    distill(teacher, None, cut, asked, told, resume=True)
    assert any(note.startswith(f"Resuming at step {step}") for note in told.notes)
    one, other = (load_file(path / "model.safetensors") for path in (tmp_path / "whole", cut))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not working_directory(cut).exists()


def test_the_teacher_reads_the_texts_once(teacher: Path, texts: Path, tmp_path: Path) -> None:
    asked = settings(unlabelled=(str(texts),), epochs=1)
    first, second, third = Told(), Told(), Told()
    distill(teacher, None, tmp_path / "one", asked, first)
    distill(teacher, None, tmp_path / "other", asked.model_copy(update={"lr": 1e-3, "seed": 4}), second)
    assert [sum(note.startswith("The teacher reads") for note in one.notes) for one in (first, second)] == [2, 0]
    kept = sorted((tmp_path / FOLDER).iterdir())
    assert len(kept) == 2
    for path in kept:
        path.write_bytes(path.read_bytes()[:-20])
    distill(teacher, None, tmp_path / "third", asked, third)
    assert sum(note.startswith("The teacher reads") for note in third.notes) == 2


def test_an_unfinished_run_with_other_texts_is_not_resumed(teacher: Path, texts: Path, tmp_path: Path) -> None:
    asked, out = settings(unlabelled=(str(texts),)), tmp_path / "small"
    with pytest.raises(Interrupted):
        distill(teacher, None, out, asked, Told(stop_at=2))
    with pytest.raises(TrainingError, match=r"an unfinished run is in .* pass --resume .* or --overwrite"):
        distill(teacher, None, out, asked, Silent())
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("\n".join(texts.read_text().splitlines()[:100]))
    with pytest.raises(TrainingError, match=r"had another data, lr: resume with what it was started with"):
        distill(teacher, None, out, settings(unlabelled=(str(fewer),), lr=1e-3), Silent(), resume=True)


def test_an_unfinished_run_with_another_start_or_width_is_not_resumed(
    distilled: tuple[Distilled, Told], narrowed: tuple[Distilled, Told], teacher: Path, texts: Path, tmp_path: Path
) -> None:
    asked, out = settings(unlabelled=(str(texts),), start=distilled[0].bundle, feed_forward=16), tmp_path / "narrow"
    with pytest.raises(Interrupted):
        distill(teacher, None, out, asked, Told(stop_at=2))
    for changes in ({"start": narrowed[0].bundle, "feed_forward": 8}, {"start": None, "layers": 1, "feed_forward": 8}):
        with pytest.raises(TrainingError, match=r"had another feed_forward, start: resume with what it was started"):
            distill(teacher, None, out, asked.model_copy(update=changes), Silent(), resume=True)
    moved = tmp_path / "moved"
    shutil.copytree(distilled[0].bundle, moved)
    told = Told()
    distill(teacher, None, out, asked.model_copy(update={"start": moved, "layers": None}), told, resume=True)
    assert any(note.startswith("Resuming at step 2") for note in told.notes)


def test_a_bundle_without_held_out_rows_needs_a_table_to_measure_on(texts: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    write_tiny_bundle(bare, labels=("bad", "good"))
    with pytest.raises(UsageError, match=r"carries no held-out rows .* pass --eval-data with a labelled table"):
        distill(bare, str(texts), tmp_path / "small", settings(), Silent())
    table = write_csv(tmp_path / "eval.csv", sentences(40, seed=9))
    asked = settings(unlabelled=(str(texts),), eval_data=table, epochs=1)
    result = distill(bare, None, tmp_path / "small", asked, Silent())
    assert result.evaluation.rows == 20
    assert result.speed.engine == "torch"
    assert load(result.bundle).manifest.metrics["split"] == f"half of {table}"
    assert len(read_reference(result.bundle, "validation", ("bad", "good"))) == 20
    told, more = Told(), write_csv(tmp_path / "more.csv", [*sentences(40, seed=9), ("on or", "ugly")])
    result = distill(bare, None, tmp_path / "other", asked.model_copy(update={"eval_data": more}), told)
    assert result.evaluation.rows == 20  # T16: neither teacher nor student could have the other row right
    assert "Rows left out because the teacher does not know their label: ugly 1" in told.notes
    wrong = write_csv(tmp_path / "wrong.csv", [("on or", "ugly")])
    with pytest.raises(
        DataError, match=r"line 2 has the label 'ugly', and no row has one that .*bare knows \(bad, good\):"
    ):
        distill(bare, None, tmp_path / "none", asked.model_copy(update={"eval_data": wrong}), Silent())


def test_it_overwrites_neither_its_teacher_nor_another_bundle(
    distilled: tuple[Distilled, Told], teacher: Path, texts: Path
) -> None:
    with pytest.raises(UsageError, match=r"--out is the teacher itself"):
        distill(teacher, str(texts), teacher, settings(), Silent(), overwrite=True)
    with pytest.raises(BundleError, match="overwrite"):
        distill(teacher, str(texts), distilled[0].bundle, settings(), Silent())


def test_more_layers_than_the_teacher_has_are_refused(teacher: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--layers is 3, but the teacher has 2 layers"):
        distill(teacher, str(texts), tmp_path / "small", settings(layers=3), Silent())
