"""Whole runs of pre-training with tiny networks: what they learn, write, refuse and forecast."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bertline.encoder.checkpoint import load_pretrained
from bertline.encoder.masked import load_masked
from bertline.errors import DataError, DestinationError, Interrupted, SettingsError, TrainingError
from bertline.testing.tiny import VOCABULARY
from bertline.text import Tokenizer
from bertline.training.checkpoint import working_directory
from bertline.training.parallel.ranks import ALONE
from bertline.training.pretraining.prepare import prepare, tokens_directory
from bertline.training.pretraining.run import REPORT, Pretrained, forecast, pretrain
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.progress import Silent, Step

SHAPE = {"layers": 1, "hidden": 32, "heads": 2, "feed_forward": 64}
LOOP = {"sequence_tokens": 32, "batch_tokens": 512, "measurements": 2, "precision": "fp32"}


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def scratch(vocabulary: Path, **more: object) -> PretrainSettings:
    return PretrainSettings(vocab=vocabulary, **{**SHAPE, **LOOP, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def listener() -> Lines:
    return Lines()


@pytest.fixture(scope="module")
def trained(
    corpus: Path, vocabulary: Path, table: Path, listener: Lines, tmp_path_factory: pytest.TempPathFactory
) -> Pretrained:
    out = tmp_path_factory.mktemp("encoders") / "tiny"
    settings = scratch(vocabulary, epochs=6, lr=3e-3, probe=table, price_per_hour=2.0)
    return pretrain([str(corpus)], out, settings, listener)


def test_a_fresh_network_begins_at_chance_and_learns(trained: Pretrained) -> None:
    assert trained.network.fresh == "all"
    assert trained.start["pseudo_perplexity"] == pytest.approx(len(VOCABULARY), rel=0.1)
    held_out = trained.held_out
    assert held_out.perplexity.high < 0.6 * len(VOCABULARY)
    assert held_out.loss.value == pytest.approx(math.log(held_out.perplexity.value))
    assert held_out.loss.low < held_out.loss.value < held_out.loss.high
    assert held_out.loss.value == pytest.approx(min(one.validation_loss for one in trained.history), rel=1e-5)
    assert trained.probe is not None
    assert trained.history[-1].figures["probe_accuracy"] == trained.probe.value


def test_it_says_what_it_does(trained: Pretrained, listener: Lines) -> None:
    expected = trained.forecast
    assert expected.trained_tokens == expected.steps * 16 * 32
    assert 6 <= expected.passes < 6.2
    assert any(line.startswith("Plan: ") and "passes) in" in line for line in listener.lines)
    assert any(line.startswith("Cost: ") and line.endswith(" at 2 per hour") for line in listener.lines)
    starts = [line.split(":")[0] for line in listener.lines]
    assert starts.count("Start") == 1
    assert starts[-2:] == [f"Step {expected.steps // 2}", f"Step {expected.steps}"]


def test_the_directory_is_a_checkpoint_with_its_tokenizer_and_figures(trained: Pretrained) -> None:
    assert json.loads((trained.out / REPORT).read_text()) == json.loads(json.dumps(trained.to_json()))
    assert Tokenizer.from_directory(trained.out).tokens([7]) == [VOCABULARY[7]]
    model, has_head = load_masked(trained.out)
    assert has_head
    assert model.config.dropout == 0.1  # that of fine-tuning
    assert load_pretrained(trained.out, labels=2).config == model.config
    assert not working_directory(trained.out).exists()
    assert not tokens_directory(trained.out).exists()


def test_it_is_replaced_only_on_request(trained: Pretrained, corpus: Path, vocabulary: Path) -> None:
    with pytest.raises(DestinationError, match="tiny has a pre-trained encoder: give another --out, or --overwrite"):
        pretrain([str(corpus)], trained.out, scratch(vocabulary), Silent())


def test_a_published_encoder_goes_on_with_a_new_head(corpus: Path, model: Path, tmp_path: Path) -> None:
    settings = PretrainSettings(model=str(model), **LOOP)  # type: ignore[arg-type]
    assert settings.lr == 1e-4
    trained = pretrain([str(corpus)], tmp_path / "out", settings, Silent())
    assert trained.network.fresh == "head"
    assert trained.held_out.loss.value < math.log(trained.start["pseudo_perplexity"])
    assert pretrain_again(tmp_path, corpus).network.fresh is None


def pretrain_again(tmp_path: Path, corpus: Path) -> Pretrained:
    settings = PretrainSettings(model=str(tmp_path / "out"), tokens=512, **LOOP)  # type: ignore[arg-type]
    return pretrain([str(corpus)], tmp_path / "again", settings, Silent())


class StopAt(Silent):
    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, step: Step) -> None:
        if step.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_run_resumes_to_the_same_weights(corpus: Path, vocabulary: Path, tmp_path: Path) -> None:
    settings = scratch(vocabulary, tokens=6_000, dropout=0.1, accumulate=2, batch_tokens=256, whole_words=True)
    pretrain([str(corpus)], tmp_path / "whole", settings, Silent())
    with pytest.raises(Interrupted, match="training stopped at step 8 of 12: run the same command with --resume"):
        pretrain([str(corpus)], tmp_path / "cut", settings, StopAt(8))
    other = settings.model_copy(update={"mask_share": 0.3})
    with pytest.raises(TrainingError, match="had another mask_share: resume with what it was started with"):
        pretrain([str(corpus)], tmp_path / "cut", other, Silent(), resume=True)
    pretrain([str(corpus)], tmp_path / "cut", settings, Silent(), resume=True)
    whole, cut = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut


def test_a_dry_run_trains_nothing_and_its_tokens_are_used(corpus: Path, vocabulary: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    expected = forecast([str(corpus)], out, scratch(vocabulary, tokens=5_000), Silent())
    assert (expected.steps, expected.trained_tokens) == (10, 5_120)
    assert not out.exists()
    written = (tokens_directory(out) / "train.npy").stat().st_mtime_ns
    prepare([str(corpus)], out, scratch(vocabulary), Silent())
    assert (tokens_directory(out) / "train.npy").stat().st_mtime_ns == written


def test_accumulated_batches_are_one_large_batch(corpus: Path, vocabulary: Path, tmp_path: Path) -> None:
    whole, parts = (
        prepare(
            [str(corpus)], tmp_path / "out", scratch(vocabulary, batch_tokens=size, accumulate=512 // size), Silent()
        )
        for size in (512, 128)
    )
    [one], four = (each.task.epoch(1).batches(3, ALONE) for each in (whole, parts))
    assert len(four) == 4
    assert whole.task.steps == parts.task.steps
    assert whole.task.epoch(1).items_per_step == parts.task.epoch(1).items_per_step
    seen = [ids_of(batch.tokens.ids, batch.targets) for batch in four]
    assert torch.equal(torch.cat(seen), ids_of(one.tokens.ids, one.targets))


def ids_of(shown: object, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
    """What a batch was before tokens were hidden."""
    ids = torch.tensor(shown)
    ids.view(-1)[hidden[0]] = hidden[1]
    return ids


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give either --model to continue from an encoder, or --vocab to start from scratch$"),
        ({"model": "a", "vocab": Path("b")}, "or --vocab to start from scratch, not both$"),
        (
            {"model": "a", "layers": 3},
            "layers cannot be chosen with --model, which has a shape and weights of its own: leave it out",
        ),
        ({"vocab": Path("b"), "hidden": 100}, "hidden is 100, which 12 attention heads do not divide: change --hidden"),
        (
            {"model": "all-MiniLM-L6-v2", "sequence_tokens": 1024},
            "sequence_tokens is 1024, but all-MiniLM-L6-v2 has 512 positions: give at most 512",
        ),
    ],
)
def test_settings_that_contradict_each_other(
    corpus: Path, tmp_path: Path, given: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        pretrain([str(corpus)], tmp_path / "out", PretrainSettings(**given), Silent())  # type: ignore[arg-type]


def test_standard_input_is_refused(vocabulary: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read standard input, because a resumed run reads the texts again"):
        pretrain(["-"], tmp_path / "out", scratch(vocabulary), Silent())


def test_a_file_that_is_not_there_is_named(vocabulary: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt"):
        pretrain([str(tmp_path / "none.txt")], tmp_path / "out", scratch(vocabulary), Silent())
