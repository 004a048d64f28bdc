from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from bertline.bundle import load
from bertline.errors import BundleError, DataError, TrainingError
from bertline.inference import load_predictor
from bertline.lifecycle.predictions.more_labels import gain_of
from bertline.statistics.figures import percent
from bertline.training.checkpoint import STATE, working_directory
from bertline.training.progress import Plan, Silent
from bertline.training.run import Trained, check, train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences, write_csv


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.plan: Plan | None = None

    def note(self, text: str) -> None:
        self.notes.append(text)

    def planned(self, plan: Plan) -> None:
        self.plan = plan


def settings(model: Path, **changes: Any) -> TrainSettings:
    quick = {"model": str(model), "epochs": 2, "max_tokens": 32, "batch_tokens": 512, "precision": "fp32", "lr": 2e-3}
    return TrainSettings(**{**quick, **changes})


@pytest.fixture(scope="module")
def trained(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Told]:
    told = Told()
    out = tmp_path_factory.mktemp("bundles") / "words"
    return train(str(table), out, settings(model), told), told


def test_the_bundle_verifies_and_answers_with_the_measured_accuracy(trained: tuple[Trained, Told], table: Path) -> None:
    result, told = trained
    manifest = load(result.bundle).manifest
    assert manifest.labels == ("bad", "good")
    assert manifest.metrics["accuracy"] == result.measured.evaluation.accuracy.to_json()
    assert told.plan is not None
    assert told.plan.train_rows + told.plan.validation_rows + told.plan.test_rows == 160
    predictor = load_predictor(result.bundle)
    assert [one.label in manifest.labels for one in predictor.predict(["is it at us", "on or an um"])] == [True, True]


@pytest.mark.parametrize("pooling", ["cls"])
def test_transformers_computes_our_logits(trained: tuple[Trained, Told], pooling: str) -> None:
    bundle = trained[0].bundle
    texts = ["is it at us b c", "on", "an um or b b c d is is it"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(bundle)
    peer = transformers.AutoModelForSequenceClassification.from_pretrained(bundle).eval()
    with torch.inference_mode():
        theirs = peer(**tokenizer(texts, return_tensors="pt", padding=True)).logits.numpy()
    np.testing.assert_allclose(load_predictor(bundle).score(texts).logits, theirs, atol=1e-5)
    assert peer.config.id2label == {0: "bad", 1: "good"}


def test_the_report_and_the_card_tell_the_same_figures(trained: tuple[Trained, Told]) -> None:
    result, _ = trained
    record = json.loads((result.bundle / "report" / "report.json").read_text())
    assert record["metrics"] == result.measured.evaluation.metrics()
    assert len(record["history"]) == len(result.history) == 2
    names = {one["name"] for one in record["baselines"]}
    assert names == {"Engine words", "Majority class", "TF-IDF + logistic regression"}
    assert percent(result.measured.evaluation.accuracy.value) in (result.bundle / "README.md").read_text()


def test_it_reports_its_findings_in_the_data(trained: tuple[Trained, Told]) -> None:
    told = " | ".join(trained[1].notes)
    assert "160 rows of" in told
    assert "128 train, 16 validation, 16 test (held out, seed 0)" in told
    assert "Duplicates of training rows: none" in told
    assert "nothing was cut" in told


def test_the_bundle_says_what_more_labels_would_buy_where_the_rows_can_tell(
    trained: tuple[Trained, Told], model: Path, table: Path, tmp_path: Path
) -> None:
    told = Told()
    result = train(str(table), tmp_path / "told", settings(model, epochs=1, validation_ratio=0.4), told)
    manifest = load(result.bundle).manifest
    assert manifest.metrics["more_labels"]["rows"] == 80
    assert manifest.metrics["more_labels"]["sizes"] == [10, 20, 40, 80]
    gain = gain_of(manifest.metrics, 100)
    assert gain is not None
    said = f"100 more than the 80 rows would raise the accuracy by {100 * gain.value:.1f} points"
    assert any(one.startswith(f"More labels: {said}") for one in told.notes)
    assert said in (result.bundle / "report" / "report.html").read_text()
    assert "more_labels" not in load(trained[0].bundle).manifest.metrics  # 16 validation rows


def test_no_unfinished_state_is_left(trained: tuple[Trained, Told]) -> None:
    assert not working_directory(trained[0].bundle).exists()


def test_repeated_rows_are_excluded_from_the_evaluation(model: Path, tmp_path: Path) -> None:
    rows = sentences(120)
    data = write_csv(tmp_path / "data.csv", rows)
    copies = [(rows[0][0].upper() + " !", rows[0][1]), (rows[1][0], rows[1][1])]
    test = write_csv(tmp_path / "test.csv", [*sentences(30, seed=7), *copies])
    told = Told()
    result = train(str(data), tmp_path / "out", settings(model, eval_data=test, epochs=1), told)
    assert result.measured.evaluation.rows == 30
    assert any("2 exact and 0 near left out of test" in note for note in told.notes)
    kept = train(str(data), tmp_path / "kept", settings(model, eval_data=test, epochs=1, keep_duplicates=True), told)
    assert kept.measured.evaluation.rows == 32


def test_truncation_is_reported(model: Path, table: Path, tmp_path: Path) -> None:
    told = Told()
    train(str(table), tmp_path / "out", settings(model, max_tokens=10, epochs=1), told)
    [truncation] = [note for note in told.notes if note.startswith("Truncation")]
    with table.open() as stream:
        long = sum(len(row["text"].split()) > 8 for row in csv.DictReader(stream))
    assert f"{long} of 160 texts are longer than 10 tokens; the first and last tokens are kept" in truncation


def test_a_bundle_is_replaced_only_when_asked(trained: tuple[Trained, Told], model: Path, table: Path) -> None:
    bundle = trained[0].bundle
    before = load(bundle).manifest.checksum
    with pytest.raises(BundleError, match="overwrite"):
        train(str(table), bundle, settings(model), Silent())
    assert load(bundle).manifest.checksum == before


def test_an_unfinished_run_is_not_thrown_away(model: Path, table: Path, tmp_path: Path) -> None:
    working_directory(tmp_path / "out").mkdir()
    (working_directory(tmp_path / "out") / STATE).touch()
    with pytest.raises(TrainingError, match=r"an unfinished run is in .* pass --resume .* or --overwrite"):
        train(str(table), tmp_path / "out", settings(model), Silent())


def test_more_tokens_than_positions_is_refused(model: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"--max-tokens is 65, but .* has 64 positions: give at most 64"):
        train(str(table), tmp_path / "out", settings(model, max_tokens=65), Silent())


def test_labels_that_only_the_evaluation_has_are_counted_as_wrong(model: Path, table: Path, tmp_path: Path) -> None:
    """T16: named and counted apart, in the figures, the report and the notes; baselines have them wrong too."""
    rows = [("is it at us zz", "good"), ("on or an um zz", "bad"), ("on or zz", "ugly"), ("at at zz", "ugly")]
    test, told = write_csv(tmp_path / "test.csv", [*rows, ("um zz", "odd")]), Told()
    result = train(str(table), tmp_path / "out", settings(model, eval_data=test), told)
    evaluation = result.measured.evaluation
    assert [asdict(one) for one in evaluation.unknown] == [{"label": "odd", "rows": 1}, {"label": "ugly", "rows": 2}]
    assert (evaluation.rows, evaluation.labels) == (5, ("bad", "good"))
    assert evaluation.accuracy.value <= 0.4
    assert all(one.score.value <= 0.4 for one in result.measured.baselines)
    assert "Test rows counted as wrong because no training row has their label: ugly 2, odd 1" in told.notes
    record = json.loads((result.bundle / "report" / "report.json").read_text())
    assert record["unknown_labels"] == [{"label": "odd", "rows": 1}, {"label": "ugly", "rows": 2}]
    page = (result.bundle / "report" / "report.html").read_text()
    assert "3 rows are of a label that the model does not know and counted as wrong; of the other rows" in page
    assert len((result.bundle / "reference" / "test.jsonl").read_text().splitlines()) == 2
    none = write_csv(tmp_path / "none.csv", [("on or", "ugly")])
    with pytest.raises(DataError, match=r"none.csv line 2 has the label 'ugly', and no row has one of the training"):
        train(str(table), tmp_path / "other", settings(model, eval_data=none), Silent())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("grouped", [False, True])
def test_rare_labels_are_trained_on_and_reported_as_not_evaluated(model: Path, tmp_path: Path, grouped: bool) -> None:
    """T16: labels of one, two and three rows among 120; every one of them trains, whichever part the others are in."""
    rare = [("um zz yy", "one"), ("um xx ww", "two"), ("an xx vv", "two"), *((f"or {c} ss", "three") for c in "abc")]
    rows, told = [*sentences(120), *rare], Told()
    data = tmp_path / "rows.csv"
    with data.open("w", newline="") as stream:
        csv.writer(stream).writerows([["text", "label", "who"], *([*one, str(i // 3)] for i, one in enumerate(rows))])
    asked = settings(model, epochs=2, class_weights="balanced", group_column="who" if grouped else None)
    result = train(str(data), tmp_path / "out", asked, told)
    evaluation = result.measured.evaluation
    assert evaluation.labels == ("bad", "good", "one", "three", "two")
    assert "one" in evaluation.absent
    assert "Labels with a single row, used for training: one (line 122)" in told.notes
    assert f"Labels that cannot be evaluated because no test row has them: {', '.join(evaluation.absent)}" in told.notes
    page = (result.bundle / "report" / "report.html").read_text()
    assert "“one”" in page
    assert "cannot be evaluated here." in page
    assert all(np.isfinite(one.value) for _, one in evaluation.headline())
    assert all(np.isfinite(record.figures["macro_f1"]) for record in result.history)
    assert load_predictor(result.bundle).predict(["um zz yy"])[0].probabilities.keys() == set(evaluation.labels)


def test_mean_pooling_makes_a_bundle_whose_card_says_so(model: Path, table: Path, tmp_path: Path) -> None:
    result = train(str(table), tmp_path / "out", settings(model, pooling="mean", epochs=1), Silent())
    assert "The head is ours" in (result.bundle / "README.md").read_text()
    assert load_predictor(result.bundle).predict(["is it"])[0].label in ("bad", "good")


def test_a_check_reads_everything_and_writes_nothing(model: Path, tmp_path: Path) -> None:
    table, told = write_csv(tmp_path / "rows.csv", sentences(40)), Told()
    check(str(table), tmp_path / "out", settings(model), told)
    assert told.notes[0].startswith(f"Data: 40 rows of {table}")
    assert told.notes[-1] == "Truncation: no text is longer than 32 tokens; nothing was cut"
    assert told.plan is None
    assert [one.name for one in tmp_path.iterdir()] == ["rows.csv"]


def test_a_check_finds_what_training_would_refuse(model: Path, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "rows.csv", [("a film", "good")] * 4)
    with pytest.raises(DataError, match="has only the label 'good' in column 'label'"):
        check(str(table), tmp_path / "out", settings(model), Silent())
