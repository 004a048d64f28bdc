"""The linear model of words: kept where the validation rows show that it is better, and then it answers everywhere."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.bundle import load
from bertline.bundle.engine import WORDS_FILE
from bertline.cli.main import main
from bertline.cli.training_screen import show_result
from bertline.errors import UsageError
from bertline.inference import load_predictor
from bertline.lifecycle.drift.live_accuracy import expected_accuracy
from bertline.lifecycle.drift.run import drift_of_table
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.optimization import run as optimization
from bertline.optimization.cold_start import ColdStart
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.statistics.paired import mcnemar
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import WORDS, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.progress import Silent
from bertline.training.rows import Rows
from bertline.training.run import Trained, train
from bertline.training.words import better_words
from tests.forked import Command
from tests.unit.training.conftest import write_csv
from tests.unit.training.test_run import settings

TOPICS = [f"topic {number}" for number in range(8)]


def planted(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of random words with two words of their topic."""
    rng, found = random.Random(seed), {}
    while len(found) < rows:
        number = rng.randrange(len(TOPICS))
        words = rng.choices(WORDS[20:], k=8) + rng.choices(WORDS[2 * number : 2 * number + 2], k=2)
        rng.shuffle(words)
        found[" ".join(words)] = TOPICS[number]
    return list(found.items())


@pytest.fixture(scope="module")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Of an encoder that has learned next to nothing."""
    folder = tmp_path_factory.mktemp("planted")
    asked = settings(model, lr=1e-6, epochs=1, validation_ratio=0.25, test_ratio=0.25, head="random")
    return train(str(write_csv(folder / "rows.csv", planted(480))), folder / "topics", asked, Silent())


def test_where_words_win_the_bundle_keeps_them_and_names_their_figures(trained: Trained) -> None:
    words = trained.measured.words
    assert words is not None
    assert words.rows == 120
    assert words.accuracy > 0.9 > 0.4 > words.comparison.value
    compared = words.comparison
    assert compared.p_value == mcnemar(compared.only_first, compared.only_second) < 1e-6
    manifest = load(trained.bundle).manifest
    assert WORDS_FILE in manifest.files
    assert manifest.engine_names == ("fp32", "torch", "words")
    assert manifest.metrics["words"] == words.to_json() == trained.measured.to_json()["words"]
    assert json.loads((trained.bundle / "report" / "run.json").read_text())["more"]["words"] == words.to_json()
    baselines: Any = manifest.metrics["baselines"]
    assert baselines["Engine words"]["accuracy"]["value"] > 0.9
    assert [*baselines][-1] == "TF-IDF + logistic regression"
    assert "keeps it as the engine words" in (trained.bundle / "report" / "report.html").read_text(encoding="utf-8")


def test_the_end_of_the_training_gives_the_command(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    show_result(trained)
    said = capsys.readouterr().err.replace("\N{NARROW NO-BREAK SPACE}", " ")
    words = trained.measured.words
    assert words is not None
    shown = f"accuracy {100 * words.accuracy:.1f} % on 120 validation rows, the encoder's "
    assert f"Better  bertline serve {trained.bundle} --engine words (the linear model of words: {shown}" in said
    assert (
        "has the accuracy" not in said or "use the engine words, or train again with more --epochs (it was 1)" in said
    )
    card = (trained.bundle / "README.md").read_text(encoding="utf-8")
    assert "## The linear model of words" in card
    assert "bertline evaluate topics DATA --engine words\nbertline serve topics --engine words\n" in card


def test_the_commands_answer_with_it(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calibrated: the probabilities are about as high as the answers are often right."""
    data = write_csv(tmp_path / "later.csv", planted(300, seed=1))
    found = {}
    for engine in ("words", "fp32"):
        arguments = ["bertline", "evaluate", str(trained.bundle), str(data), "--engine", engine, "--json"]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        found[engine] = json.loads(capsys.readouterr().out)["metrics"]
    assert found["words"]["accuracy"]["value"] > 0.9 > 0.4 > found["fp32"]["accuracy"]["value"]
    assert found["words"]["ece"]["value"] < 0.1
    compared = ["--engine", "words", "--second-engine", "fp32", "--json"]
    monkeypatch.setattr("sys.argv", ["bertline", "compare", *[str(trained.bundle)] * 2, str(data), *compared])
    with pytest.raises(SystemExit):
        main()
    found = json.loads(capsys.readouterr().out)
    assert [found[one]["engine"] for one in ("first", "second")] == ["words", "fp32"]
    text, label = planted(1, seed=2)[0]
    monkeypatch.setattr("sys.argv", ["bertline", "scan", str(trained.bundle), "--text", text, "--engine", "words"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["bertline", "predict", str(trained.bundle), text, "--engine", "words", "--json"])
    with pytest.raises(SystemExit):
        main()
    assert json.loads(capsys.readouterr().out)["label"] == label


def test_optimize_leaves_it(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimization, "measure_cold_start", lambda *_, **__: ColdStart(0.25, 42.0))
    copy = tmp_path / "topics"
    shutil.copytree(trained.bundle, copy)
    texts = [text for text, _ in planted(20, seed=3)]
    before = load_predictor(copy, engine="words").score(texts).logits
    optimize(copy, OptimizeSettings(repetitions=1, speed_rows=16), lambda _: None)
    assert len(load(copy).manifest.engines) > 1
    np.testing.assert_array_equal(load_predictor(copy, engine="words").score(texts).logits, before)


def test_drift_expects_the_accuracy_of_the_engine_that_is_served(trained: Trained, tmp_path: Path) -> None:
    expected = [expected_accuracy(trained.bundle, DriftSettings(engine=engine)).accuracy for engine in ("words", None)]
    assert expected[0] > 0.8 > 0.4 > expected[1]
    data = write_csv(tmp_path / "later.csv", planted(100, seed=8))
    found = drift_of_table(trained.bundle, str(data), DriftSettings(engine="words"))
    assert found.drift.accuracy is not None
    assert found.drift.accuracy.estimate.value > 0.8
    with pytest.raises(UsageError, match="has no engine int8"):
        drift_of_table(trained.bundle, str(data), DriftSettings(engine="int8"))


def rows_of(rows: list[tuple[str, str]]) -> Rows:
    readings = Reader(tiny_tokenizer(), Truncation(32)).read([text for text, _ in rows])
    return Rows(readings, [label for _, label in rows], range(len(rows)))


def test_an_encoder_that_is_level_or_better_keeps_nothing() -> None:
    train_rows, validation, spec = rows_of(planted(240)), rows_of(planted(120, seed=4)), Spec(labels=tuple(TOPICS))
    right = np.array([TOPICS.index(str(target)) for target in validation.targets])

    def kept(answers: np.ndarray[Any, Any]) -> bool:
        outputs = [[row] for row in 5.0 * np.eye(len(TOPICS))[answers]]
        return better_words(spec, train_rows, validation, outputs, tiny_tokenizer()) is not None

    worse = right.copy()
    worse[:60] = (worse[:60] + 1) % len(TOPICS)
    level = right.copy()
    level[:5] = (level[:5] + 1) % len(TOPICS)
    assert [kept(right), kept(level), kept(worse)] == [False, False, True]


@pytest.mark.parametrize("problem", ["several", "number"])
def test_only_single_labels_are_covered(problem: Any) -> None:
    labels = ("a", "b") if problem == "several" else ("a",)
    rows = Rows([], [], [])
    assert better_words(Spec(labels=labels, problem=problem), rows, rows, [], tiny_tokenizer()) is None


def test_a_table_where_words_tell_nothing_keeps_none(model: Path, tmp_path: Path) -> None:
    """Neither the encoder nor words can learn labels that were drawn at random."""
    rng = random.Random(0)
    rows = [(text, rng.choice(TOPICS[:2])) for text, _ in planted(240)]
    other = train(str(write_csv(tmp_path / "rows.csv", rows)), tmp_path / "topics", settings(model), Silent())
    assert other.measured.words is None
    assert not (other.bundle / "words").exists()
    assert "words" not in load(other.bundle).manifest.metrics
    assert "linear model of words" not in (other.bundle / "README.md").read_text(encoding="utf-8")


def test_without_it_the_warning_says_why(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    """TF-IDF is ahead on the test rows, but on the validation rows nothing was shown."""
    baselines = tuple(one for one in trained.measured.baselines if one.name != "Engine words")
    show_result(replace(trained, measured=replace(trained.measured, words=None, baselines=baselines)))
    said = capsys.readouterr().err
    assert "--engine words" not in said
    assert re.search(r"warning: TF-IDF \+ logistic regression has the accuracy .* more than the encoder", said)
    assert (
        ": on the validation rows no linear model of words is significantly better, so none is kept; train again with "
        "more --epochs (it was 1)\n"
    ) in said


KILLED = """
import os, signal
from pathlib import Path
from bertline.cli.main import main
from bertline.inference.words_backend import WordsBackend

def write(self, bundle):
    (bundle / "words").mkdir()
    (bundle / "words" / "model.npz").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

WordsBackend.write = write
main()
"""


def test_killed_while_it_is_written_there_is_no_bundle_and_the_next_run_writes_it(
    trained: Trained, model: Path, tmp_path: Path
) -> None:
    data, out = write_csv(tmp_path / "rows.csv", planted(480)), tmp_path / "topics"
    flags = "--lr 1e-6 --epochs 1 --validation-ratio 0.25 --test-ratio 0.25 --head random --max-tokens 32"
    arguments = ["train", str(data), "--model", str(model), "--out", str(out), *flags.split()]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not out.exists()
    again = Command([*arguments, "--resume"], tmp_path / "output.txt").ended(120)
    assert again[0] == 0, again[1]
    assert load_predictor(out, engine="words").engine == "words"
