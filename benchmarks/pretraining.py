"""Pre-training from random weights, side by side with transformers' own loop: tokens per second, and what is learned.

    make bench ONLY=pretraining

Both train a network of the same shape on IMDB's texts with the same vocabulary, batch, rate and number of tokens, and
are measured on the same hidden tokens of the same held-out texts. The contestants take turns for the speed, a few
steps at a time, in shuffled order, and the table gives medians. Then the Trainer at its best trains for half an hour,
as its speed foretells, and ours reads as many tokens. What has been measured is kept in build/benchmarks, so that an
interrupted benchmark goes on; --again forgets it. Writes docs/pretraining.md and the raw figures beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.parts import peer_masked
from benchmarks.parts.machine import describe
from bertline.encoder.masked import MaskedLanguageModel
from bertline.training.loop import Run
from bertline.training.pretraining.held_out import HeldOut, held_out_of, sums_of
from bertline.training.pretraining.prepare import Prepared, prepare
from bertline.training.pretraining.settings import PretrainSettings, VocabularySettings
from bertline.training.pretraining.vocabulary import make_vocabulary
from bertline.training.progress import Silent
from examples import rotten_tomatoes
from examples.tables import write_table

BUILD = Path("build/benchmarks")
TEXTS, VOCABULARY = BUILD / "imdb.csv", BUILD / "imdb-vocabulary"
PAGE, RAW = Path("docs/pretraining.md"), Path("docs/pretraining.json")

Trained = tuple[float, MaskedLanguageModel]  # seconds of training, and the network


@dataclass(frozen=True)
class Setting:
    """What all contestants share."""

    settings: PretrainSettings
    directory: Path

    def prepared(self, steps: int) -> Prepared:
        """A fresh network, the tokens of the texts, and a task of so many steps."""
        tokens = steps * self.settings.batch_tokens
        return prepare([str(TEXTS)], self.directory, self.settings.model_copy(update={"tokens": tokens}), Silent())

    def ours(self, steps: int) -> Trained:
        """Our loop."""
        prepared = self.prepared(steps)
        with tempfile.TemporaryDirectory() as state:
            loop = self.settings.of_the_loop(prepared.task.measurements)
            network, task = prepared.network, prepared.task
            run = Run(network.model, task, loop, prepared.placement, Silent(), Path(state), {})
            return sum(one.seconds for one in run.fit()), network.model

    def theirs(self, steps: int, *, best: bool) -> Trained:
        """The Trainer."""
        prepared = self.prepared(steps)
        bf16 = prepared.placement.precision is torch.bfloat16
        stream, config = prepared.tokens.train, prepared.network.config
        trainer = peer_masked.build(stream, VOCABULARY, config, self.settings, steps, best=best, bf16=bf16)
        seconds = float(trainer.train().metrics["train_runtime"])
        return seconds, peer_masked.network(trainer)

    def measured(self, model: MaskedLanguageModel) -> HeldOut:
        """The figures of the held-out texts, in fp32."""
        task = self.prepared(1).task
        return held_out_of(sums_of(model, task.held_out, task.measured, torch.device("cpu")))


AS_PEOPLE_RUN_IT = "transformers Trainer"
AT_ITS_BEST = "transformers Trainer, no dropout, bf16 where it pays"
OURS = "bertline"


def contestants(setting: Setting) -> dict[str, Callable[[int], Trained]]:
    """By name, the peer as people run it first."""
    return {
        AS_PEOPLE_RUN_IT: partial(setting.theirs, best=False),
        AT_ITS_BEST: partial(setting.theirs, best=True),
        OURS: setting.ours,
    }


def speeds(setting: Setting, steps: int, repetitions: int) -> dict[str, list[float]]:
    """Tokens per second of each contestant, one figure per repetition."""
    measured: dict[str, list[float]] = {name: [] for name in contestants(setting)}
    for repetition in range(repetitions):
        order = list(contestants(setting).items())
        random.Random(repetition).shuffle(order)
        for name, train in order:
            measured[name].append(steps * setting.settings.batch_tokens / train(steps)[0])
            print(f"repetition {repetition + 1}, {name}: {measured[name][-1]:,.0f} tokens/s", flush=True)
    return measured


def learned(setting: Setting, speed: dict[str, list[float]], minutes: float) -> list[dict[str, Any]]:
    """What whole runs learn: the best peer's of so many minutes, and ours of as many tokens."""
    steps = round(statistics.median(speed[AT_ITS_BEST]) * 60 * minutes / setting.settings.batch_tokens)
    return [
        kept(f"pretraining-{place}-{steps}", partial(whole_run, setting, name, steps))
        for place, name in (("trainer", AT_ITS_BEST), ("ours", OURS))
    ]


def whole_run(setting: Setting, name: str, steps: int) -> dict[str, Any]:
    """Trains one contestant to the end, and measures it."""
    seconds, model = contestants(setting)[name](steps)
    tokens = steps * setting.settings.batch_tokens
    figures: dict[str, Any] = {"name": name, "tokens": tokens, "seconds": seconds, **setting.measured(model).to_json()}
    loss, accuracy = figures["masked_loss"]["value"], figures["masked_accuracy"]["value"]
    print(f"{name}, {tokens:,} tokens: {seconds:.0f} s, loss {loss:.3f}, masked accuracy {accuracy:.1%}", flush=True)
    return figures


def kept(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured under this name before, or is now."""
    path = BUILD / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(measure()))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def page(raw: dict[str, Any]) -> str:
    """docs/pretraining.md."""
    speed, shape = raw["tokens_per_s"], raw["settings"]
    base = statistics.median(next(iter(speed.values())))
    lines = [
        "# Pre-training beside transformers\n",
        f"A masked language model from random weights: {shape['layers']} layers, {shape['hidden']} wide, "
        f"{shape['heads']} heads, {shape['feed_forward']} feed-forward neurons, a vocabulary of {raw['vocabulary']:,} "
        f"tokens, sequences of {shape['sequence_tokens']} tokens in batches of {shape['batch_tokens']:,}, "
        "IMDB's texts. `make bench ONLY=pretraining` measures it again ([raw figures](pretraining.json)).\n",
        f"Machine: {raw['machine']}.\n",
        "| | tokens/s | lowest – highest | × the Trainer as people run it |",
        "|---|---:|---:|---:|",
    ]
    for name, values in speed.items():
        lines.append(
            f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} – {max(values):,.0f} "
            f"| {statistics.median(values) / base:.2f} |"
        )
    lines += [
        "\nMedians of short runs in turns.\n",
        "## What is learned\n",
        "| | tokens | minutes | held-out loss | pseudo-perplexity | masked accuracy |",
        "|---|---:|---:|---:|---:|---:|",
        *(_learned(run, run["tokens"] / statistics.median(speed[run["name"]]) / 60) for run in raw["learned"]),
        "\nThe figures are of the same hidden tokens (15 %, all [MASK]) of the same held-out texts, with 95 % "
        "intervals, and the minutes are of all tokens at the speed above. Pseudo-perplexity is the exponential of the "
        "loss. The Trainer begins with BERT's random weights; bertline's first layer begins with heads that look at "
        "the neighbouring tokens (`pretrain --start`).\n",
    ]
    return "\n".join(lines)


def _learned(run: dict[str, Any], minutes: float) -> str:
    """The row of one run of so many minutes."""
    loss, perplexity, accuracy = (run[one] for one in ("masked_loss", "pseudo_perplexity", "masked_accuracy"))
    return (
        f"| {run['name']} | {run['tokens']:,} | {minutes:.0f} "
        f"| {loss['value']:.3f} ({loss['low']:.3f}–{loss['high']:.3f}) "
        f"| {perplexity['value']:.1f} ({perplexity['low']:.1f}–{perplexity['high']:.1f}) "
        f"| {accuracy['value']:.1%} ({accuracy['low']:.1%}–{accuracy['high']:.1%}) |"
    )


def main() -> None:
    """Measure all contestants and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument(
        "--minutes", type=float, default=30, help="of a whole run, at the Trainer's speed measured first"
    )
    parser.add_argument("--speed-steps", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--again", action="store_true", help="forget what has been measured before")
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    if arguments.again:
        for path in BUILD.glob("pretraining-*.json"):
            path.unlink()
    if not TEXTS.exists():
        write_table(TEXTS, rotten_tomatoes.imdb_reviews())
    if not (VOCABULARY / "vocab.txt").exists():
        make_vocabulary([str(TEXTS)], VOCABULARY, VocabularySettings(size=arguments.vocabulary))
    settings = PretrainSettings(
        vocab=VOCABULARY,
        layers=arguments.layers,
        hidden=arguments.hidden,
        heads=arguments.hidden // 64,
        feed_forward=4 * arguments.hidden,
        sequence_tokens=128,
        batch_tokens=arguments.batch_tokens,
        mask_share=0.15,
        measurements=1,
        checkpoint_every_s=1e9,
    )
    setting = Setting(settings, BUILD / "imdb-pretraining")
    measured = partial(speeds, setting, arguments.speed_steps, arguments.repetitions)
    speed = kept("pretraining-speed", lambda: {"machine": describe(), "tokens_per_s": measured()})
    raw = {
        **speed,
        "settings": settings.model_dump(mode="json", exclude={"vocab"}),
        "vocabulary": arguments.vocabulary,
        "learned": learned(setting, speed["tokens_per_s"], arguments.minutes),
    }
    RAW.write_text(json.dumps(raw, indent=1) + "\n")
    PAGE.write_text(page(raw))


if __name__ == "__main__":
    main()
