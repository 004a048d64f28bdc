"""T7: a training that ends in one answer for everything is called that, and its bundle works like any other."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from bertline.bundle import load
from bertline.cli.main import main
from bertline.cli.training_screen import show_result
from bertline.errors import TrainingError
from bertline.inference import load_predictor
from bertline.optimization import run as optimization
from bertline.optimization.cold_start import ColdStart
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.training.progress import Silent
from bertline.training.run import Trained, train
from tests.unit.training.conftest import sentences, write_csv
from tests.unit.training.test_run import settings

RATES = (0.1, 1.0, 10.0)  # logits that differ in the third digit, and logits that do not differ, small and large
TEXTS = ["is it at us", "on or an um", ""]


@pytest.fixture(scope="module")
def collapsed(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[float, Trained]:
    folder = tmp_path_factory.mktemp("collapsed")
    return {
        rate: train(str(table), folder / f"{rate:g}", settings(model, lr=rate, head="random"), Silent())
        for rate in RATES
    }


@pytest.mark.parametrize("rate", RATES)
def test_a_collapsed_run_ends_with_advice_and_no_invitation_to_serve(
    collapsed: dict[float, Trained], rate: float, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = collapsed[rate].measured.evaluation
    assert (evaluation.mcc.value, evaluation.accuracy.value) == (0.0, 0.5)
    given = next(one.label for one in evaluation.classes if one.predicted)
    show_result(collapsed[rate])
    said = capsys.readouterr().err
    assert (
        f"warning: all 16 rows got the label “{given}”: the accuracy is that label's share of them and MCC is 0, "
        f"so the model does not distinguish any texts: train again with a lower --lr (it was {rate:g}) "
        "or a higher --warmup-ratio (it was 0.1)\n"
    ) in said
    assert "Try it" not in said
    assert "Faster" not in said
    report = (collapsed[rate].bundle / "report" / "report.html").read_text(encoding="utf-8")
    assert f"All 16 rows got the label “{given}”" in report


def test_a_model_that_separates_texts_is_not_reported_as_collapsed_but_as_behind_tfidf(
    model: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = train(str(table), tmp_path / "words", settings(model), Silent())
    show_result(trained)
    said = capsys.readouterr().err
    assert "distinguish" not in said
    assert re.search(r"warning: Engine words has the accuracy \S+\s%, \S+ points more than the encoder", said)
    assert ": use the engine words, or train again with more --epochs (it was " in said
    assert f"Try it  bertline serve {trained.bundle}" in said
    assert f"Faster  bertline optimize {trained.bundle}" in said


def test_where_one_label_has_most_rows_weights_are_advised_too(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A single answer, by scores that do differ."""
    rows = sentences(400)
    few = [row for row in rows if row[1] == "good"][:160] + [row for row in rows if row[1] == "bad"][:16]
    asked = settings(model, lr=1e-3, head="random")
    trained = train(str(write_csv(tmp_path / "few.csv", few)), tmp_path / "few", asked, Silent())
    assert np.stack(trained.fitted.validation).std(axis=0).min() > 0.5
    show_result(trained)
    said = capsys.readouterr().err
    assert "rows got the label “good”" in said
    assert said.rstrip().endswith("or --class-weights balanced, because one label has most of the rows")


@pytest.mark.parametrize("rate", RATES)
def test_its_bundle_is_loaded_and_optimized_without_a_word(
    collapsed: dict[float, Trained], rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings are errors: none of the engines is left out, neither before nor after."""
    monkeypatch.setattr(optimization, "measure_cold_start", lambda *_, **__: ColdStart(0.25, 42.0))
    bundle = collapsed[rate].bundle
    before = load_predictor(bundle)
    assert before.engine == "fp32"
    found = optimize(bundle, OptimizeSettings(repetitions=1, speed_rows=16), lambda _: None)
    after = load_predictor(bundle)
    assert after.engine == found.picked
    assert [one.label for one in after.predict(TEXTS)] == [one.label for one in before.predict(TEXTS)]
    for one in load(bundle).manifest.engines:
        assert load_predictor(bundle, engine=one.name).engine == one.name


def test_measuring_it_on_other_rows_says_it_too(
    collapsed: dict[float, Trained], table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bertline", "evaluate", str(collapsed[1.0].bundle), str(table)])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.startswith("warning: all 160 rows got the label “")


def test_a_collapsed_teachers_student_collapses_too_and_is_reported(
    collapsed: dict[float, Trained],
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ["--layers", "1", "--epochs", "1", "--precision", "fp32", "--out", str(tmp_path / "small")]
    monkeypatch.setattr(sys, "argv", ["bertline", "distill", str(collapsed[10.0].bundle), str(table), *flags])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "warning: all 16 rows got the label “" in said
    assert "train again with a lower --lr (it was 0.0001) or a higher --warmup-ratio (it was 0.1)\n" in said
    assert "Try it" not in said


def test_weights_that_are_not_finite_after_the_last_step_are_refused_with_the_remedy(
    model: Path, table: Path, tmp_path: Path
) -> None:
    """The loss was finite each time that it was looked at."""
    one_step = settings(model, lr=1e30, epochs=1, batch_tokens=100_000)
    message = r"the model's logits are not finite on 16 of 16 rows: its weights diverged, so train again with a lower"
    with pytest.raises(TrainingError, match=message):
        train(str(table), tmp_path / "words", one_step, Silent())
    assert not (tmp_path / "words").exists()
