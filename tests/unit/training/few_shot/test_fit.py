"""Few-shot training: from a table of a few rows per label to an ordinary bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.bundle.reference import read_reference
from bertline.errors import DataError, SettingsError
from bertline.inference import load_predictor
from bertline.training.progress import Silent
from bertline.training.run import Trained, train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences, write_csv


def few(folder: Path, model: Path, rows: list[tuple[str, str]], **changes: object) -> Trained:
    settings = TrainSettings(model=str(model), max_tokens=32, few_shot=True, precision="fp32", **changes)
    return train(str(write_csv(folder / "few.csv", rows)), folder / "few", settings, Silent())


def rows_of(each: int) -> list[tuple[str, str]]:
    """So many sentences of each label."""
    some = sentences(8 * each)
    return [row for label in ("good", "bad") for row in [one for one in some if one[1] == label][:each]]


@pytest.fixture(scope="module")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return few(tmp_path_factory.mktemp("few"), model, rows_of(8))


def test_the_bundle_is_an_ordinary_classifier(trained: Trained) -> None:
    manifest = load(trained.bundle).manifest
    assert (manifest.task.task, manifest.labels, manifest.pooling) == ("classify", ("bad", "good"), "normalised")
    assert manifest.metrics["split"] == "cross-validation in 3 folds"
    assert manifest.metrics["rows"] == 16
    engines = [load_predictor(trained.bundle, engine=name).predict(["is it", "on an"]) for name in ("torch", "fp32")]
    for one, other in zip(*engines, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    assert len(read_reference(trained.bundle, "validation", manifest.labels).inputs) == 16


def test_the_report_says_what_was_chosen_and_what_more_labels_would_bring(trained: Trained) -> None:
    report = (trained.bundle / "report" / "report.html").read_text()
    assert "in cross-validation, accuracy" in report
    assert "texts per label" in report
    assert "twice as many" in report
    assert "no text is longer than 32 tokens" in report
    few_shot = load(trained.bundle).manifest.metrics["few_shot"]
    assert isinstance(few_shot, dict)
    assert few_shot["chosen"] in ("fine-tuned", "frozen")
    assert few_shot["learning_curve"]["sizes"] == [1, 2, 4, 5]


def test_a_table_of_its_own_measures_the_same_weights(trained: Trained, model: Path, tmp_path: Path) -> None:
    rows = sentences(40, seed=9)
    other = write_csv(tmp_path / "test.csv", [*rows, rows_of(8)[0]])
    measured = few(tmp_path, model, rows_of(8), eval_data=other)
    weights = [(one.bundle / "model.safetensors").read_bytes() for one in (trained, measured)]
    assert weights[0] == weights[1]
    assert load(measured.bundle).manifest.metrics["split"] == str(other)
    assert measured.measured.evaluation.rows == 40  # one row is a duplicate of a training row
    predicted = load_predictor(measured.bundle, engine="torch").predict([text for text, _ in rows])
    right = sum(answer.label == label for answer, (_, label) in zip(predicted, rows, strict=True))
    assert measured.measured.evaluation.metrics()["accuracy"]["value"] == pytest.approx(right / 40)


@pytest.mark.parametrize(
    ("rows", "changes", "error", "message"),
    [
        (
            [*rows_of(4), ("at us", "odd")],
            {},
            DataError,
            "few.csv has one row with the label 'odd': give at least 2, better 8 or more",
        ),
        (
            rows_of(4),
            {"test_ratio": 0.2},
            SettingsError,
            "test_ratio cannot be combined with few_shot: it holds no rows out, so leave it out",
        ),
        (
            rows_of(4),
            {"label_separator": ";"},
            SettingsError,
            "few_shot is for classifiers with one label per text: leave it out",
        ),
    ],
)
def test_a_fault_is_one_sentence(
    model: Path,
    tmp_path: Path,
    rows: list[tuple[str, str]],
    changes: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error) as caught:
        few(tmp_path, model, rows, **changes)
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message
    assert not (tmp_path / "few").exists()
