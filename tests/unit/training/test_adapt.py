"""``train --adapt``: what it trains on, what it says, and that it resumes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.errors import DataError, Interrupted, SettingsError, TrainingError
from bertline.statistics.figures import percent
from bertline.training.checkpoint import working_directory
from bertline.training.progress import Silent, Step
from bertline.training.run import Trained, check, train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences


class Lines(Silent):
    def __init__(self, stop_at: int | None = None) -> None:
        self.lines: list[str] = []
        self._left = stop_at

    def note(self, text: str) -> None:
        self.lines.append(text)

    def stepped(self, step: Step) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    """Texts without labels, those of the table's rows among them."""
    path = tmp_path_factory.mktemp("texts") / "unlabelled.txt"
    rows = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    path.write_text("".join(f"{text}\n" for text in [text for text, _ in sentences(200, seed=5)] + rows))
    return path


def settings(model: Path, *texts: Path, **changes: Any) -> TrainSettings:
    quick = {"model": str(model), "epochs": 1, "max_tokens": 32, "batch_tokens": 512, "precision": "fp32", "lr": 2e-3}
    adapting = {"adapt": tuple(map(str, texts)), "adapt_epochs": 2} if texts else {}
    return TrainSettings(**{**quick, **adapting, **changes})


@pytest.fixture(scope="module")
def adapted(
    model: Path, table: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trained, list[str]]:
    lines, out = Lines(), tmp_path_factory.mktemp("bundles") / "words"
    return train(str(table), out, settings(model, texts), lines), lines.lines


def weights(bundle: Path) -> bytes:
    return (bundle / "model.safetensors").read_bytes()


def test_it_says_and_records_what_adapting_bought(adapted: tuple[Trained, list[str]]) -> None:
    trained, lines = adapted
    assert "Adapting to unlabelled.txt and the training rows" in lines
    [line] = [line for line in lines if line.startswith("Adapted: ")]
    lineage: Any = load(trained.bundle).manifest.lineage["adapted"]
    assert lineage["texts"] == "unlabelled.txt and the training rows"
    assert 2 <= lineage["passes"] < 3
    perplexity, probe = lineage["pseudo_perplexity"], lineage["probe_accuracy"]
    assert perplexity["after"]["value"] < perplexity["before"]
    assert 0 <= probe["before"] <= 1
    assert f"pseudo perplexity {perplexity['before']:.1f} before, {perplexity['after']['value']:.1f} (" in line
    assert f"probe accuracy {percent(probe['before'])} before, {percent(probe['after']['value'])} (" in line
    card = (trained.bundle / "README.md").read_text()
    assert "| adapted: texts | unlabelled.txt and the training rows |" in card
    record = json.loads((trained.bundle / "report" / "report.json").read_text())
    assert ["Adapted", line.removeprefix("Adapted: ")] in record["facts"]
    assert not working_directory(trained.bundle).exists()


def test_held_out_rows_are_never_trained_on(adapted: tuple[Trained, list[str]]) -> None:
    _, lines = adapted
    split = next(line for line in lines if line.startswith("Split: "))
    assert split.startswith("Split: 128 train, 16 validation, 16 test")
    assert "32 texts left out, because they are among the held-out rows" in lines


def test_the_encoder_is_the_adapted_one_and_the_head_the_models_own(
    adapted: tuple[Trained, list[str]], model: Path, table: Path, texts: Path, tmp_path: Path
) -> None:
    plain = train(str(table), tmp_path / "plain", settings(model), Silent())
    assert weights(plain.bundle) != weights(adapted[0].bundle)
    assert "adapted" not in load(plain.bundle).manifest.lineage


def test_interrupted_while_it_adapts_and_while_it_learns_it_ends_in_the_same_weights(
    adapted: tuple[Trained, list[str]], model: Path, table: Path, texts: Path, tmp_path: Path
) -> None:
    chosen, out = settings(model, texts), tmp_path / "words"
    with pytest.raises(Interrupted, match="training stopped at step 2 of 4: run the same command with --resume"):
        train(str(table), out, chosen, Lines(stop_at=2))
    with pytest.raises(TrainingError, match=r"an unfinished run is in .*: pass --resume to continue it"):
        train(str(table), out, chosen, Silent())
    other = chosen.model_copy(update={"adapt_epochs": 3})
    with pytest.raises(TrainingError, match=r"had another adapt_epochs: resume with what it was started with"):
        train(str(table), out, other, Silent(), resume=True)
    second = Lines(stop_at=2 + 3)
    with pytest.raises(Interrupted, match="training stopped at step 3 of"):
        train(str(table), out, chosen, second, resume=True)
    assert any(line.startswith("Resuming at step 2") for line in second.lines)
    with pytest.raises(TrainingError, match=r"an unfinished run is in .*: pass --resume to continue it"):
        train(str(table), out, chosen, Silent())
    with pytest.raises(TrainingError, match=r"had another adapt_epochs: resume with what it was started with"):
        train(str(table), out, other, Silent(), resume=True)
    last = Lines()
    train(str(table), out, chosen, last, resume=True)
    assert "Already adapted to unlabelled.txt and the training rows" in last.lines
    assert "Resuming at step 3" in last.lines
    assert weights(out) == weights(adapted[0].bundle)


def test_texts_that_changed_since_are_refused(model: Path, table: Path, texts: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text(texts.read_text())
    with pytest.raises(Interrupted):
        train(str(table), tmp_path / "words", settings(model, own), Lines(stop_at=1))
    own.write_text(texts.read_text() + "one more\n")
    with pytest.raises(
        TrainingError, match="had another text to adapt to, texts: resume with what it was started with"
    ):
        train(str(table), tmp_path / "words", settings(model, own), Silent(), resume=True)


def test_the_table_itself_may_be_the_text(model: Path, table: Path, tmp_path: Path) -> None:
    lines = Lines(stop_at=1)
    with pytest.raises(Interrupted):
        train(str(table), tmp_path / "words", settings(model, table), lines)
    assert "Adapting to the training rows" in lines.lines
    assert not any("left out, because" in line for line in lines.lines)


def test_files_are_checked_before_the_table_is_read(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--adapt cannot read standard input, because a resumed run reads the"):
        train("nowhere.csv", tmp_path / "words", settings(model, Path("-")), Silent())
    with pytest.raises(DataError, match=r"none\.txt"):
        train("nowhere.csv", tmp_path / "words", settings(model, tmp_path / "none.txt"), Silent())


def test_passes_without_texts_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="adapt_epochs is set, but there are no texts to adapt to: give --adapt"):
        check("nowhere.csv", tmp_path / "words", settings(model, adapt_epochs=2), Silent())
