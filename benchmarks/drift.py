"""How often `bertline drift` errs, what it finds, and what it costs.

    make bench ONLY=drift
    make bench ONLY=drift ARGS="--draws 200 --models r8 rt"

Models are trained once. Every window is a new draw, without repetition, from rows that they were not trained on. Seeds
are the numbers of the draws. Writes docs/drift.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.drift_pools import FOLDER, Pool, pool
from benchmarks.parts.machine import describe
from bertline.lifecycle.drift import language, properties
from bertline.lifecycle.drift.compare import compare
from bertline.lifecycle.drift.known import Known
from bertline.statistics.intervals import wilson
from bertline.statistics.shift.discriminant import Discriminant
from bertline.statistics.shift.distribution import ks_statistics, mean_statistics
from bertline.statistics.shift.kernel import mmd_statistics
from bertline.statistics.shift.permutation import relabellings

PAGE = Path("docs/drift.md")
TESTS = ("answers", "embeddings", "classifier", "properties")
Draw = Callable[[np.random.Generator], tuple[Pool, np.ndarray[Any, Any], Pool, np.ndarray[Any, Any]]]


@dataclass(frozen=True)
class Case:
    """One way to draw two windows."""

    name: str
    model: str
    draw: Draw
    draws: int

    @property
    def is_null(self) -> bool:
        """Whether nothing changed between the windows: what is found is a false alarm."""
        return self.name.startswith("null")


def null(model: str, reference: int, new: int) -> Draw:
    """Both windows from one source."""

    def drawn(rng: np.random.Generator) -> Any:
        own = pool(model, model)
        rows = rng.permutation(len(own.labels))
        return own, rows[:reference], own, rows[reference : reference + new]

    return drawn


def topics(reference: int, new: int, share: float) -> Draw:
    """News about two topics in the reference; in the new window a share is about the six others."""

    def drawn(rng: np.random.Generator) -> Any:
        own = pool("r8", "r8")
        known = rng.permutation(own.of("earn", "acq"))
        foreign = rng.permutation(np.setdiff1d(np.arange(len(own.labels)), known))
        count = round(share * new)
        rows = np.concatenate([known[reference : reference + new - count], foreign[:count]])
        return own, known[:reference], own, rows

    return drawn


def prior(model: str, labels: tuple[str, str], reference: int, new: int, share: float) -> Draw:
    """Two labels, half and half in the reference; the first has a share of the new window."""

    def drawn(rng: np.random.Generator) -> Any:
        own = pool(model, model)
        first, second = (rng.permutation(own.of(label)) for label in labels)
        half, count = reference // 2, round(share * new)
        known = np.concatenate([first[:half], second[:half]])
        return own, known, own, np.concatenate([first[half : half + count], second[half : half + new - count]])

    return drawn


def measured(case: Case) -> dict[str, Any]:
    """The share of draws in which each test, alone and within the family, found something."""
    kept = FOLDER / f"{case.name.replace(' ', '-').replace('/', '-')}-{case.draws}.json"
    if kept.exists():
        result: dict[str, Any] = json.loads(kept.read_text())
        return result
    print(case.name, flush=True)
    alone, family, kinds, within = dict.fromkeys(TESTS, 0), 0, {"none": 0, "labels": 0, "texts": 0}, 0
    for seed in range(case.draws):
        own, known, other, rows = case.draw(np.random.default_rng(seed))
        names = sorted({*own.labels})
        labels = [] if case.is_null else [own.labels[i] for i in known]  # what labels add takes most of the time
        found = compare(own.window.take(known), other.window.take(rows), labels, names, seed=seed)
        for test in found.tests:
            alone[test.name] += test.p <= found.level
        family += found.kind != "none"
        kinds[found.kind] += 1
        within += found.prior is not None and found.prior.within_p <= found.level
    result = {"draws": case.draws, "alone": alone, "family": family, "kinds": kinds, "within": within}
    kept.write_text(json.dumps(result))
    return result


def cost() -> tuple[float, float]:
    """Seconds of one core and additional megabytes of the four tests on 5,000 and 5,000 texts of 384 numbers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10_000, 384)).astype(np.float32)
    columns = rng.random((10_000, 2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    moved = relabellings(5_000, 5_000)
    for _ in ("answers", "properties"):
        ks_statistics(columns, moved)
        mean_statistics(columns, moved)
    mmd_statistics(rows, moved)
    discriminant = Discriminant.of(rows)
    discriminant.statistics(moved)
    discriminant.scores(moved[0])
    seconds = time.process_time() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def accuracies(draws: int, models: Sequence[str]) -> Iterator[tuple[str, list[tuple[float, float, float, float]]]]:
    """For each model and source: truth, estimate and interval of windows of 1,000 texts."""
    for model, source in (("rt", "rt"), ("r8", "r8"), ("imdb", "imdb"), ("rt", "imdb"), ("imdb", "rt")):
        if not {model, source} <= {*models}:
            continue
        own, other = pool(model, model), pool(model, source)
        names = sorted({*own.labels})
        found = []
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            rows = rng.permutation(len(own.labels))
            new = rows[1_000:2_000] if other is own or model == source else rng.permutation(len(other.labels))[:1_000]
            window = other.window.take(new)
            known = Known.of(own.window.take(rows[:1_000]), window, [own.labels[i] for i in rows[:1_000]], names)
            one = known.accuracy(1_000, seed)
            assert one is not None
            answers = np.stack([*window.answers.values()], axis=1)
            said = (answers[:, 0] > 0.5).astype(int) if len(names) == 2 else answers.argmax(axis=1)
            truth = float(np.mean([names[k] == other.labels[i] for k, i in zip(said, new, strict=True)]))
            found.append((truth, one.estimate.value, one.estimate.low, one.estimate.high))
        yield f"{model} → {source}", found


def cases(draws: int) -> list[Case]:
    """False alarms and power."""
    nulls = [
        Case(f"null {model} {reference}/{new}", model, null(model, reference, new), count)
        for model, reference, new, count in (
            ("r8", 50, 50, draws),
            ("r8", 1000, 50, draws),
            ("r8", 100, 100, draws),
            ("r8", 500, 500, draws),
            ("imdb", 50, 50, draws),
            ("imdb", 1000, 100, draws),
            ("imdb", 500, 500, draws),
            ("imdb", 5000, 5000, draws // 10),
        )
    ]
    power = max(100, draws // 5)
    return [
        *nulls,
        Case("topics swapped, n = 50", "r8", topics(1000, 50, 1.0), power),
        Case("half of another topic, n = 100", "r8", topics(1000, 100, 0.5), power),
        Case("a tenth of another topic, n = 1000", "r8", topics(1000, 1000, 0.1), power),
        Case("earn to acq 60/40, n = 200", "r8", prior("r8", ("earn", "acq"), 1400, 200, 0.6), power),
        Case("positive 60/40, n = 200", "imdb", prior("imdb", ("positive", "negative"), 5000, 200, 0.6), power),
        Case("positive 80/20, n = 200", "imdb", prior("imdb", ("positive", "negative"), 5000, 200, 0.8), power),
    ]


def page(draws: int, models: Sequence[str]) -> str:
    """The whole page."""
    lines = [
        "# Drift\n",
        "What [`bertline drift`](guide/observe/drift.md) finds and how often it errs. `make bench ONLY=drift` measures "
        "again. Models: all-MiniLM-L6-v2, fine-tuned for two epochs on part of the rows (128 tokens); windows are "
        f"drawn from the other rows, without repetition. Machine: {describe()}.\n",
        "| windows | draws | answers | embeddings | classifier | properties | any, corrected | within labels "
        "| verdict: none / labels / texts |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for case in cases(draws):
        if case.model not in models:
            continue
        found = measured(case)
        cells = [_share(found["alone"][name], case.draws) for name in TESTS]
        cells += [_share(found["family"], case.draws), "" if case.is_null else _share(found["within"], case.draws)]
        kinds = " / ".join(f"{found['kinds'][kind] / case.draws:.0%}" for kind in ("none", "labels", "texts"))
        lines.append(f"| {case.name} | {case.draws:,} | {' | '.join(cells)} | {kinds} |")
    lines += [
        "\nPercent of the draws, each test alone at 5 %, with the 95 % interval. Null: both windows from one source, "
        "reference/new. "
        "Within labels: the test that tells changed texts from changed shares.\n",
        "## Accuracy without labels\n",
        "Reference and new windows of 1,000 texts each.\n",
        "| model → texts | windows | true accuracy | mean absolute error, points | interval held the truth |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, found in accuracies(max(20, draws // 10), models):
        errors = [abs(truth - value) for truth, value, _, _ in found]
        held = sum(low <= truth <= high for truth, _, low, high in found)
        truth = np.mean([one[0] for one in found])
        lines.append(
            f"| {name} | {len(found)} | {truth:.1%} | {100 * np.mean(errors):.2f} | {_share(held, len(found))} |"
        )
    seconds, megabytes = cost()
    lines.append(
        f"\n## Cost\n\nAll four tests on 5,000 and 5,000 texts of 384 dimensions: {seconds:.2f} s of one core, "
        f"{megabytes:.0f} MB beyond the data.\n"
    )
    return "\n".join(lines)


def _share(count: int, of: int) -> str:
    one = wilson(count, of)
    return f"{100 * one.value:.1f} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def main() -> None:
    """Measure what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000, help="of each null at 500 rows or fewer")
    parser.add_argument("--models", nargs="+", default=["r8", "rt", "imdb"], help="sources to train and draw from")
    arguments = parser.parse_args()
    language._identifier = lambda: None  # every text is English
    properties.scripts_of = cache(properties.scripts_of)  # texts are drawn again and again
    PAGE.write_text(page(arguments.draws, arguments.models), encoding="utf-8")


if __name__ == "__main__":
    main()
