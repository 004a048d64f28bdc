"""Accuracy of the defaults on fixed hold-outs, 3 seeds, paired with transformers' Trainer and with TF-IDF.

    make bench ONLY=quality

Every run is kept in build/benchmarks, so that an interrupted benchmark goes on where it stopped; delete that folder
to measure anew. The hold-outs are scored once per trained model and nothing is chosen by them. Writes docs/quality.md,
and its sections to docs/quality.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.parts import peer_trainer
from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import BUILD, SEEDS, TASKS, Task
from bertline.data.duplicates import cross_duplicates
from bertline.statistics.calibration import reliability, softmax
from bertline.statistics.paired import compare
from bertline.training.device import place
from bertline.training.prepare import Prepared, prepare
from bertline.training.progress import Silent
from bertline.training.run import train

PAGE, SECTIONS = Path("docs/quality.md"), Path("docs/quality.json")
INTRODUCTION = """\
# Accuracy

all-MiniLM-L6-v2 fine-tuned by bertline on fixed hold-outs, beside transformers' Trainer with the same model, rows,
seeds, epochs and learning rate, and TF-IDF with logistic regression. Intervals are of the paired difference on the same
test rows; the mean's pools the seeds. `make bench ONLY=quality` measures again; a section stays until then on a machine
that trains in the same precision.
"""
Result = dict[str, Any]


def ece(truth: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> float:
    """The expected calibration error."""
    bins = reliability(truth, probabilities)
    return sum(one.rows * abs(one.confidence - one.accuracy.value) for one in bins) / len(truth)


def ours(task: Task, seed: int) -> Result:
    """Train and publish with the defaults; what the test rows showed."""
    out = BUILD / f"{task.key}-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    trained = train(str(task.data), out, task.seeded(seed), Silent(), resume=True)
    measured = trained.measured
    return {
        "logits": np.stack(trained.fitted.test).tolist(),
        "temperature": measured.spec.temperature,
        "seconds": sum(one.seconds for one in trained.history),
        "validation": [one.figures["accuracy"] for one in trained.history],
        "macro_f1": measured.evaluation.metrics()["macro_f1"]["value"],
        "tfidf": measured.baselines[-1].score.value,
        "tfidf_macro_f1": measured.baselines[-1].figures["macro_f1"].value,
    }


def peer(task: Task, seed: int) -> Result:
    """The Trainer on the same splits, seed and number of epochs."""
    settings = task.seeded(seed)
    out = BUILD / f"{task.key}-trainer-{seed}"
    trainer, splits = peer_trainer.build(prepare(str(task.data), settings, Silent()), settings, output=out)
    peer_trainer.resumed(trainer)
    history = [one["eval_accuracy"] for one in trainer.state.log_history if "eval_accuracy" in one]
    return {"logits": peer_trainer.logits(trainer, splits["test"]).tolist(), "validation": history}


def cached(name: str, make: Any, *, run: bool = True) -> Result | None:
    """The result of an earlier run, or a new one; None when there is none and ``run`` is False."""
    path = BUILD / f"{name}.json"
    if not path.exists():
        if not run:
            return None
        print(f"running {name}", flush=True)
        path.write_text(json.dumps(make()))
    found: Result = json.loads(path.read_text())
    return found


def precision(task: Task) -> str:
    """In which ours is trained here: that which multiplies faster."""
    return "bf16" if place(task.settings).precision is torch.bfloat16 else "fp32"


def summarise(task: Task, *, run: bool) -> list[str]:
    """Lines of the page for one task."""
    prepared = prepare(str(task.data), task.seeded(0), Silent())
    truth = np.array([prepared.spec.labels.index(str(one.target)) for one in prepared.test])
    seen = [one.text for one in (*prepared.train, *prepared.validation)]
    repeated = {one.candidate for one in cross_duplicates(seen, [one.text for one in prepared.test])}
    fresh = np.array([i not in repeated for i in range(len(truth))])
    lines = _heading(task, prepared, len(repeated))
    columns: list[list[float]] = [[], [], [], [], [], [], []]
    rights: list[list[np.ndarray[Any, Any]]] = [[], []]
    for seed in SEEDS:
        own = cached(f"{task.key}-ours-{seed}", lambda seed=seed: ours(task, seed), run=run)
        if own is None:
            continue
        logits = np.array(own["logits"])
        right = logits.argmax(1) == truth
        errors = [_calibration_error(truth, softmax(logits, t)) for t in (1.0, own["temperature"])]
        macro, words_macro = own["macro_f1"], own["tfidf_macro_f1"]
        cells = [
            f"{right.mean():.2%}",
            f"{right[fresh].mean():.2%}",
            f"{macro:.1%}",
            f"{errors[0]:.2%} → {errors[1]:.2%}",
        ]
        columns[0].append(right.mean())
        columns[1].append(right[fresh].mean())
        columns[2].append(errors[1])
        columns[4].append(own["tfidf"])
        columns[5].append(macro)
        columns[6].append(words_macro)
        other = cached(f"{task.key}-trainer-{seed}", lambda seed=seed: peer(task, seed), run=run)
        if other is not None:
            theirs = np.array(other["logits"]).argmax(1) == truth
            rights[0].append(right)
            rights[1].append(theirs)
            difference = compare(right, theirs)
            columns[3].append(theirs.mean())
            cells += [f"{theirs.mean():.2%}", _difference(difference)]
        else:
            cells += ["not run", ""]
        lines.append(f"| {seed} | {' | '.join(cells)} | {own['tfidf']:.2%} | {words_macro:.1%} |")
    pooled = compare(np.concatenate(rights[0]), np.concatenate(rights[1])) if rights[0] else None
    means = [np.mean(one) if one else float("nan") for one in columns]
    lines.append(
        f"| **mean of {len(columns[0])}** | **{means[0]:.2%}** | {means[1]:.2%} | {means[5]:.1%} | {means[2]:.2%} | "
        f"{f'{means[3]:.2%}' if columns[3] else ''} | {_difference(pooled) if pooled else ''} | {means[4]:.2%} | "
        f"{means[6]:.1%} |\n"
    )
    return lines


def _heading(task: Task, prepared: Prepared, repeated: int) -> list[str]:
    """What comes before the rows of the seeds; ``repeated`` test rows are duplicates of training rows."""
    return [
        f"## {task.title}, trained in {precision(task)}\n",
        f"Trained with {task.recipe}. Machine: {describe()}.\n",
        f"{len(prepared.test):,} test rows: {task.hold_out}. {len(prepared.train):,} rows train, "
        f"{len(prepared.validation):,} validate (they choose the epoch and the temperature). "
        f"{repeated} of the test rows repeat a training row"
        f"{'; they stay in, as in the published figures' if repeated else ''}.\n",
        "| seed | bertline | without repeated rows | macro-F1 | ECE before → after | Trainer "
        "| difference (95 % interval, p) | TF-IDF | its macro-F1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]


def _calibration_error(truth: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> float:
    """Expected calibration error (Guo et al. 2017) over equal-width bins."""
    bins = reliability(truth, probabilities)
    return sum(one.rows * abs(one.confidence - one.accuracy.value) for one in bins) / len(truth)


def _difference(found: Any) -> str:
    one = found.accuracy
    return f"{100 * one.value:+.2f} ({100 * one.low:+.2f} to {100 * one.high:+.2f}, p = {found.p_value:.2f})"


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(TASKS))
    parser.add_argument("--no-run", action="store_true", help="only write the page, from the runs that there are")
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    sections: dict[str, dict[str, str]] = json.loads(SECTIONS.read_text()) if SECTIONS.exists() else {}
    for key, make in TASKS.items():
        if arguments.only in (None, key):
            task = make()
            section = "\n".join(summarise(task, run=not arguments.no_run))
            sections.setdefault(key, {})[precision(task)] = section
            SECTIONS.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n")
    write_page(sections)


def write_page(sections: dict[str, dict[str, str]]) -> None:
    """The page of all sections, those of ``TASKS`` first."""
    keys = dict.fromkeys([*TASKS, *sections])
    PAGE.write_text(
        "\n".join([INTRODUCTION, *(one for key in keys for _, one in sorted(sections.get(key, {}).items()))])
    )


if __name__ == "__main__":
    main()
