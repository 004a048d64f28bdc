"""The ways in which ``benchmarks.drift`` draws two windows, and what `bertline drift` says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.drift_pools import FOLDER, Pool, pool
from bertline.lifecycle.drift.compare import compare

TESTS = ("answers", "embeddings", "classifier", "properties")
Rows = np.ndarray[Any, Any]
Draw = Callable[[Pool, np.random.Generator], tuple[Rows, Rows]]


@dataclass(frozen=True)
class Case:
    """One way to draw two windows.

    Attributes:
        name: of a case without a change it begins with ``null``.
        model: whose pool the texts are drawn from.
        draw: chooses the texts of the reference and of the new window.
        draws: number of pairs of windows; the seed of each is its number.
    """

    name: str
    model: str
    draw: Draw
    draws: int

    @property
    def is_null(self) -> bool:
        """Whether nothing changed between the windows: what is found is a false alarm."""
        return self.name.startswith("null")

    @property
    def file(self) -> str:
        """The name of the files that keep what was found."""
        return "".join(one if one.isalnum() else "-" for one in self.name) + ".jsonl"

    def windows(self, seed: int) -> tuple[Rows, Rows]:
        """The texts of a draw, by their index in the pool."""
        return self.draw(pool(self.model, self.model), np.random.default_rng(seed))


def null(reference: int, new: int) -> Draw:
    """Both windows from one source."""

    def drawn(own: Pool, rng: np.random.Generator) -> tuple[Rows, Rows]:
        rows = rng.permutation(len(own.labels))
        return rows[:reference], rows[reference : reference + new]

    return drawn


def topics(reference: int, new: int, share: float) -> Draw:
    """News about two topics in the reference; in the new window a share is about the six others."""

    def drawn(own: Pool, rng: np.random.Generator) -> tuple[Rows, Rows]:
        known = rng.permutation(own.of("earn", "acq"))
        foreign = rng.permutation(np.setdiff1d(np.arange(len(own.labels)), known))
        count = round(share * new)
        return known[:reference], np.concatenate([known[reference : reference + new - count], foreign[:count]])

    return drawn


def prior(labels: tuple[str, str], reference: int, new: int, share: float) -> Draw:
    """Two labels, half and half in the reference; the first has a share of the new window."""

    def drawn(own: Pool, rng: np.random.Generator) -> tuple[Rows, Rows]:
        first, second = (rng.permutation(own.of(label)) for label in labels)
        half, count = reference // 2, round(share * new)
        known = np.concatenate([first[:half], second[:half]])
        return known, np.concatenate([first[half : half + count], second[half : half + new - count]])

    return drawn


def false_alarms(draws: int) -> list[Case]:
    """Equal and unequal windows of R8 and IMDB; windows of 5,000 texts take long, so a tenth of the draws."""
    sizes = {"r8": ((50, 50), (1000, 50), (100, 100), (500, 500)), "imdb": ((50, 50), (1000, 100), (500, 500))}
    cases = [
        Case(f"null {model} {reference}/{new}", model, null(reference, new), draws)
        for model, each in sizes.items()
        for reference, new in each
    ]
    return [*cases, Case("null imdb 5000/5000", "imdb", null(5000, 5000), max(20, draws // 10))]


def power(draws: int) -> list[Case]:
    """Changes that have to be found."""
    number = max(100, draws // 5)
    sentiments = ("positive", "negative")
    return [
        Case("topics swapped, n = 50", "r8", topics(1000, 50, 1.0), number),
        Case("half of another topic, n = 100", "r8", topics(1000, 100, 0.5), number),
        Case("a tenth of another topic, n = 1000", "r8", topics(1000, 1000, 0.1), number),
        Case("earn to acq 60/40, n = 200", "r8", prior(("earn", "acq"), 1400, 200, 0.6), number),
        Case("positive 60/40, n = 200", "imdb", prior(sentiments, 5000, 200, 0.6), number),
        Case("positive 80/20, n = 200", "imdb", prior(sentiments, 5000, 200, 0.8), number),
    ]


def measure(case: Case) -> None:
    """Compare the pairs of windows that were not compared before."""
    kept = FOLDER / "ours" / case.file
    kept.parent.mkdir(parents=True, exist_ok=True)
    have = len(lines(kept))
    if have >= case.draws:
        return
    print(f"{case.name}: {have} of {case.draws}", flush=True)
    own = pool(case.model, case.model)
    names = sorted({*own.labels})
    with kept.open("a", encoding="utf-8") as stream:
        for seed in range(have, case.draws):
            known, new = case.windows(seed)
            labels = [] if case.is_null else [own.labels[i] for i in known]  # what labels add takes most of the time
            found = compare(own.window.take(known), own.window.take(new), labels, names, seed=seed)
            one = {
                "alone": {test.name: bool(test.p <= found.level) for test in found.tests},
                "kind": found.kind,
                "within": found.prior is not None and bool(found.prior.within_p <= found.level),
            }
            stream.write(json.dumps(one) + "\n")
            stream.flush()


def lines(path: Path) -> list[dict[str, Any]]:
    """What a file keeps, a draw per line; the last line may be cut by an interruption."""
    return [*_read(path)]


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    whole, _, rest = path.read_text(encoding="utf-8").rpartition("\n")
    if rest:  # written when the run was killed
        path.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    yield from map(json.loads, whole.splitlines())
