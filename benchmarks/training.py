"""Training speed, side by side with transformers' Trainer: sentences per second on the same rows of the same machine.

    make bench ONLY=training

Each contestant trains one epoch over the same sample of training rows; repetitions alternate, in shuffled order, and
the table gives medians. Writes docs/training.md and the raw figures beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.parts import peer_trainer
from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import TASKS, Task
from bertline.encoder.checkpoint import load_pretrained
from bertline.encoder.source import find_model
from bertline.text import Tokenizer
from bertline.training.device import place
from bertline.training.loop import Run
from bertline.training.prepare import Prepared, prepare, tokenise
from bertline.training.progress import Silent
from bertline.training.row_task import of_spec

SAMPLE = {"rt": 640, "r8": 256}
PAGE, RAW = Path("docs/training.md"), Path("docs/training.json")


def ours(task: Task, prepared: Prepared, rows: int, precision: str) -> float:
    """Seconds of one epoch of our loop over the first ``rows`` training rows."""
    settings = task.seeded(0).model_copy(update={"epochs": 1, "precision": precision, "checkpoint_every_s": 1e9})
    directory = find_model(settings.model)
    tokenizer = Tokenizer.from_directory(directory)
    train = tokenise(prepared.train[:rows], tokenizer, prepared.spec, settings)
    validation = tokenise(prepared.validation[:8], tokenizer, prepared.spec, settings)
    torch.manual_seed(0)
    classifier = load_pretrained(directory, labels=len(prepared.spec.labels))
    learned = of_spec(prepared.spec, train, validation, settings)
    with tempfile.TemporaryDirectory() as state:
        run = Run(classifier, learned, settings, place(settings), Silent(), Path(state), {})
        return run.fit()[0].seconds


def peer(task: Task, prepared: Prepared, rows: int, *, best: bool, bf16: bool) -> float:
    """Seconds of one epoch of the Trainer over the same rows."""
    settings = task.seeded(0).model_copy(update={"epochs": 1})
    trainer, _ = peer_trainer.build(prepared, settings, rows=rows, best=best, bf16=bf16)
    return float(trainer.train().metrics["train_runtime"])


def measure(task: Task, repetitions: int) -> dict[str, list[float]]:
    """Sentences per second of each contestant, one figure per repetition."""
    prepared = prepare(str(task.data), task.seeded(0), Silent())
    rows = SAMPLE[task.key]
    contestants: dict[str, Callable[[], float]] = {
        "transformers Trainer (batch 32, as they come, fp32)": lambda: peer(
            task, prepared, rows, best=False, bf16=False
        ),
        "transformers Trainer, grouped by length": lambda: peer(task, prepared, rows, best=True, bf16=False),
        "bertline, fp32": lambda: ours(task, prepared, rows, "fp32"),
        "bertline, default precision": lambda: ours(task, prepared, rows, "auto"),
    }
    if place(task.settings).precision is torch.bfloat16:
        name = "transformers Trainer, grouped by length, bf16"
        contestants[name] = lambda: peer(task, prepared, rows, best=True, bf16=True)
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for repetition in range(repetitions):
        order = list(contestants)
        random.Random(repetition).shuffle(order)
        for name in order:
            found[name].append(rows / contestants[name]())
            print(f"{task.title}, repetition {repetition + 1}, {name}: {found[name][-1]:.1f} sentences/s", flush=True)
    return found


def page(results: dict[str, dict[str, list[float]]]) -> str:
    """docs/training.md."""
    lines = [
        "# Training speed\n",
        "Sentences per second of one epoch of fine-tuning all-MiniLM-L6-v2, side by side in one run; "
        "medians of the repetitions, with the lowest and the highest. `make bench ONLY=training` measures them again "
        "([raw figures](training.json)).\n",
        f"Machine: {describe()}.\n",
    ]
    for title, found in results.items():
        base = statistics.median(next(iter(found.values())))
        lines += [
            f"## {title}\n",
            "| | sentences/s | lowest – highest | × the Trainer as people run it |",
            "|---|---:|---:|---:|",
        ]
        for name, values in found.items():
            median = statistics.median(values)
            lines.append(f"| {name} | {median:.1f} | {min(values):.1f} – {max(values):.1f} | {median / base:.2f} |")
        lines.append("")
    return "\n".join(lines)


def _shortened(task: Task, max_tokens: int = 128) -> Task:
    """The task with shorter texts, so that its slow contestants finish."""
    settings = task.settings.model_copy(update={"max_tokens": max_tokens})
    return replace(task, title=f"{task.title}, {max_tokens} tokens", settings=settings)


def main() -> None:
    """Measure every task and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", choices=sorted(SAMPLE))
    arguments = parser.parse_args()
    results = {}
    for key in SAMPLE:
        if arguments.only in (None, key):
            task = _shortened(TASKS[key]()) if key == "r8" else TASKS[key]()
            results[task.title] = measure(task, arguments.repetitions)
    RAW.write_text(json.dumps({"machine": describe(), "sentences_per_s": results}, indent=1) + "\n")
    PAGE.write_text(page(results))


if __name__ == "__main__":
    main()
