"""Speed on a GPU, side by side with transformers: fine-tuning and inference of three sizes of encoder in bf16.

    make bench ONLY=gpu
    make bench ONLY=gpu ARGS="--only minilm"   # one size; the other rows of docs/gpu.json are kept
    make bench ONLY=gpu ARGS=--small           # tiny shapes on the CPU, to see that it works; writes nothing

The weights are random and the same for all (``gpu_contestants``), and so are the batches. Repetitions are shuffled; the
tables give medians. Each figure is also given as a share of the rate that large bf16 matrix products reach on the same
chip in the same run (``flops``). Writes docs/gpu.md and the raw figures beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from benchmarks.parts.flops import forward_flops, matrix_rate, seconds, training_flops
from benchmarks.parts.gpu_contestants import PEER, Kind, Step, contestants
from benchmarks.parts.machine import describe
from bertline.data.batching import Batch, pad, plan
from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier

PAGE, RAW = Path("docs/gpu.md"), Path("docs/gpu.json")
LABELS = ("bad", "good")
WARM_UPS = 3  # a CUDA graph is recorded in the second pass and replayed from the third
TITLES: dict[Kind, str] = {"training": "Fine-tuning (forward, backward, optimizer)", "inference": "Inference"}
ROUNDING_RATIO = 0.1
Row = dict[str, Any]  # one contestant on one work: what it is, how much it computes, and the seconds it took


@dataclass(frozen=True)
class Extent:
    """How much is measured: the encoders by key and title, and the batches that each of them gets.

    ``mixed_texts`` texts have log-normal lengths (median 0.45 of the longest, σ 0.7, cut at the longest), which is how
    lengths of film reviews look.
    """

    shapes: dict[str, tuple[str, EncoderConfig]]
    lengths: tuple[int, int]
    batch_tokens: int
    batches: int
    mixed_texts: int


FULL = Extent(
    shapes={
        "bert": ("BERT-base (12 layers, 768 wide)", EncoderConfig()),
        "distilbert": ("DistilBERT (6 layers, 768 wide)", EncoderConfig(family="distilbert", layers=6, segments=0)),
        "minilm": ("MiniLM (6 layers, 384 wide)", EncoderConfig(hidden=384, layers=6, feed_forward=1536)),
    },
    lengths=(128, 512),
    batch_tokens=16_384,
    batches=20,
    mixed_texts=1_500,
)
TINY = EncoderConfig(vocab_size=99, hidden=32, layers=2, heads=2, feed_forward=64, max_positions=16)
SMALL = Extent(shapes={"tiny": ("Tiny", TINY)}, lengths=(8, 16), batch_tokens=64, batches=2, mixed_texts=20)


@dataclass(frozen=True)
class Work:
    """The batches of one repetition, the same for every contestant, with the targets of their texts."""

    title: str
    batches: list[tuple[Batch, Tensor]]

    @property
    def lengths(self) -> list[int]:
        """Real tokens of every text."""
        return [int(length) for batch, _ in self.batches for length in batch.attend.sum(axis=1)]

    @property
    def one_shape(self) -> bool:
        """Whether all batches have the same rows and tokens."""
        return len({batch.ids.shape for batch, _ in self.batches}) == 1


def works(extent: Extent, vocab_size: int, kind: Kind) -> Iterator[Work]:
    """Full batches of either length, then the plan that bertline makes for texts of mixed lengths."""
    rng = np.random.default_rng(0)

    def filled(lengths: Sequence[int]) -> tuple[Batch, Tensor]:
        ids = [rng.integers(1, vocab_size, length).tolist() for length in lengths]
        return pad(ids, pad_id=0), torch.from_numpy(rng.integers(0, len(LABELS), len(lengths)))

    for length in extent.lengths:
        rows = extent.batch_tokens // length
        yield Work(f"{rows} × {length} tokens", [filled([length] * rows) for _ in range(extent.batches)])
    longest = max(extent.lengths)
    drawn = rng.lognormal(np.log(0.45 * longest), 0.7, extent.mixed_texts).clip(2, longest).astype(int).tolist()
    planned = plan(drawn, extent.batch_tokens, seed=0 if kind == "training" else None)
    yield Work("mixed lengths", [filled([drawn[i] for i in indices]) for indices in planned])


def measure(loaded: dict[str, Step], work: Work, repetitions: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each repetition, by contestant."""

    def whole(step: Step) -> None:
        for batch, targets in work.batches:
            step(batch, targets)

    found: dict[str, list[float]] = {name: [] for name in loaded}
    for repetition in range(repetitions):
        order = list(loaded)
        random.Random(repetition).shuffle(order)
        for name in order:
            found[name].append(seconds(partial(whole, loaded[name]), device))
    return found


def ready(kind: Kind, directory: Path, work: Work, device: torch.device, compile_mode: str) -> dict[str, Step]:
    """The contestants, loaded and warm; one that cannot run here is named and left out."""
    torch.compiler.reset()
    loaded = {}
    makers = contestants(kind, directory, device, one_shape=work.one_shape, compile_mode=compile_mode)
    for name, make in makers.items():
        try:
            step = make()
            for _ in range(WARM_UPS):
                for batch, targets in work.batches:
                    step(batch, targets)
        except RuntimeError as error:  # out of memory, or torch.compile found no compiler
            print(f"{name} is left out of {kind}, {work.title}: {str(error).splitlines()[0]}", flush=True)
            continue
        loaded[name] = step
    return loaded


def compare(loaded: dict[str, Step], work: Work) -> None:
    """Stop if two contestants give other logits than rounding to bf16 explains: they would not do the same work."""
    answers = {name: np.asarray(step(*work.batches[0])) for name, step in loaded.items()}
    first, *others = answers.values()
    worst = max((float(np.abs(other - first).max() / np.abs(first).max()) for other in others), default=0.0)
    if worst > ROUNDING_RATIO:
        raise SystemExit(f"{work.title}: the logits of {', '.join(answers)} differ by {worst:.0%} of the largest")


def rows_of(
    key: str, extent: Extent, repetitions: int, device: torch.device, compile_mode: str, rate: float
) -> Iterator[Row]:
    """Measure one encoder in every way."""
    title, config = extent.shapes[key]
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as directory:
        save_classifier(Path(directory), Classifier(config, len(LABELS)), labels=LABELS)
        for kind in get_args(Kind):
            count = training_flops if kind == "training" else forward_flops
            for work in works(extent, config.vocab_size, kind):
                loaded = ready(kind, Path(directory), work, device, compile_mode)
                if kind == "inference":
                    compare(loaded, work)
                measured = measure(loaded, work, repetitions, device)
                loaded.clear()  # so that the next ones find the memory free
                for name, found in measured.items():
                    row = {"kind": kind, "shape": key, "title": title, "work": work.title, "contestant": name}
                    row |= {"texts": len(work.lengths), "tokens": sum(work.lengths)}
                    row |= {"flops": count(config, work.lengths, len(LABELS)), "matrix_flops_per_s": rate}
                    print(f"{kind}, {title}, {work.title}, {name}: {speed(row, found):,.0f} tokens/s", flush=True)
                    yield {**row, "seconds": found}


def speed(row: Row, found: Sequence[float]) -> float:
    """Tokens per second of the median repetition."""
    return float(row["tokens"] / statistics.median(found))


def table(rows: Sequence[Row]) -> list[str]:
    """The rows of one encoder and kind."""
    base = {row["work"]: speed(row, row["seconds"]) for row in rows if row["contestant"] == PEER}
    lines = [
        f"| batches | | texts/s | tokens/s | lowest – highest | share of the matrix rate | × {PEER} |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        took, tokens = row["seconds"], row["tokens"]
        median = statistics.median(took)
        share = row["flops"] / median / row["matrix_flops_per_s"]
        against = f"{tokens / median / base[row['work']]:.2f}" if row["work"] in base else ""
        lines.append(
            f"| {row['work']} | {row['contestant']} | {row['texts'] / median:,.0f} | {tokens / median:,.0f} "
            f"| {tokens / max(took):,.0f} – {tokens / min(took):,.0f} | {100 * share:.0f} % | {against} |"
        )
    return [*lines, ""]


def page(machine: str, rows: Sequence[Row]) -> str:
    """docs/gpu.md."""
    rates = sorted({row["matrix_flops_per_s"] / 1e12 for row in rows})
    shown = " – ".join(f"{rate:,.0f}" for rate in dict.fromkeys((rates[0], rates[-1])))
    lines = [
        "# Speed on a GPU\n",
        "Encoders with random weights in bf16, bertline and transformers side by side in one run on the same batches; "
        "medians of the repetitions, with the lowest and the highest. Tokens are real ones: padding is work without a "
        f"result. Large bf16 matrix products reach {shown} TFLOP/s on this chip, and a share of 100 % would be an "
        "encoder that did nothing else, without padding. `make bench ONLY=gpu` measures it again "
        "([raw figures](gpu.json)).\n",
        f"Machine: {machine}; {date.today().isoformat()}.\n",
    ]
    for kind in get_args(Kind):
        lines.append(f"## {TITLES[kind]}\n")
        for title in dict.fromkeys(row["title"] for row in rows):
            lines += [f"### {title}\n", *table([row for row in rows if (row["kind"], row["title"]) == (kind, title)])]
    return "\n".join(lines)


def kept(machine: str, keys: Sequence[str]) -> list[Row]:
    """Rows of the encoders that this run leaves alone, if the same machine and versions measured them."""
    earlier = json.loads(RAW.read_text()) if RAW.exists() else {}
    same = earlier.get("machine") == machine
    return [row for row in earlier["rows"] if row["shape"] not in keys] if same else []


def main() -> None:
    """Measure every encoder and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", choices=sorted(FULL.shapes))
    parser.add_argument("--compile-mode", default="reduce-overhead", help="of torch.compile, for batches of one shape")
    parser.add_argument("--small", action="store_true", help="tiny shapes on the CPU; writes nothing")
    arguments = parser.parse_args()
    if not (arguments.small or torch.cuda.is_available()):
        print("This benchmark needs a CUDA GPU and torch sees none: nothing was measured; --small shows that it works.")
        return
    device, extent = torch.device("cpu" if arguments.small else "cuda"), SMALL if arguments.small else FULL
    keys = [key for key in extent.shapes if arguments.small or arguments.only in (None, key)]
    machine, rate = describe(), matrix_rate(device, small=arguments.small)
    rows = [] if arguments.small else kept(machine, keys)
    for key in keys:
        rows += rows_of(key, extent, arguments.repetitions, device, arguments.compile_mode, rate)
    rows.sort(key=lambda row: list(extent.shapes).index(row["shape"]))
    if arguments.small:
        print(page(machine, rows))
        return
    RAW.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    PAGE.write_text(page(machine, rows))


if __name__ == "__main__":
    main()
