"""The sequential test of labels beside others, on simulated streams: rights and wrongs are all it sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, norm

from benchmarks.parts import drift_cusum
from benchmarks.parts.drift_peers import run
from benchmarks.parts.drift_pools import FOLDER
from bertline.statistics.sequential import HORIZON, LEVEL, Baseline, accuracy_drop

ACCURACIES = (0.98, 0.95, 0.9, 0.8)
BEFORE = 1_000  # labels before a drop
REFERENCE = 1_000  # test rows that the accuracy to expect is measured on
KNOWN = 10_000_000  # test rows after which the accuracy is known
SCRIPT = "benchmarks/peers/drift_streams.py"
NULL = "null"
Alarms = list[int | None]
Found = dict[str, dict[str, Alarms]]  # first alarms by detector, and by kind of the streams
Streams = np.ndarray[Any, Any]
Test = Callable[[Streams, Baseline], int | None]


@dataclass(frozen=True, slots=True)
class Drop:
    """A drop of accuracy.

    Attributes:
        points: by how much, as a share.
        within: labels in which it has to be found.
        before: labels before it.
        after: labels from there on.
    """

    points: float
    within: int
    before: int = BEFORE
    after: int = 0

    @property
    def name(self) -> str:
        """Of the streams."""
        return f"{self.points} after {self.before}"

    def found(self, alarms: Alarms) -> int:
        """Streams in which it was found in time, and not before it was there."""
        return sum(one is not None and self.before < one <= self.before + self.within for one in alarms)

    def median(self, alarms: Alarms) -> float | None:
        """Labels until it was found, where there was no alarm before; None if it was found in too few."""
        delays = [np.inf if one is None else one - self.before for one in alarms if one is None or one > self.before]
        median = float(np.median(delays)) if delays else np.inf
        return median if np.isfinite(median) else None

    def bound(self, accuracy: float) -> float:
        """In what share a test that knows the usual accuracy can find it in time at most (Neyman and Pearson).

        Of tests whose false alarms are ``LEVEL`` per horizon and equally likely at each label.
        """
        level, rate = LEVEL * self.within / HORIZON, 1 - accuracy
        least = int(binom.isf(level, self.within, rate))  # wrong answers
        tie = (level - binom.sf(least, self.within, rate)) / binom.pmf(least, self.within, rate)
        fallen = self.within, rate + self.points
        return float(binom.sf(least, *fallen) + tie * binom.pmf(least, *fallen))

    def learned_bound(self, accuracy: float) -> float:
        """The same if the accuracy is known from ``REFERENCE`` rows and the labels before, in normal approximation."""
        usual, fallen = (one * (1 - one) for one in (1 - accuracy, 1 - accuracy + self.points))
        known = usual / (REFERENCE + self.before)
        least = norm.isf(LEVEL * self.within / HORIZON) * (usual / self.within + known) ** 0.5
        return float(norm.cdf((self.points - least) / (fallen / self.within + known) ** 0.5))


FIVE = Drop(0.05, 600, after=2_000)
DROPS = (FIVE, Drop(0.1, 300, after=300), Drop(0.4, 30, after=30), Drop(0.05, 2_000, before=0, after=2_000))


def measure(accuracy: float, draws: int, *, peers: bool) -> None:
    """Find the first alarms by detector: of streams without a change, and of a fifth as many with each drop."""
    file, found = _file(accuracy, draws), kept(accuracy, draws)
    if "ours" not in found:
        print(f"labels, accuracy {accuracy}: {draws} streams", flush=True)
        for kind, streams in _streams(accuracy, draws):
            for name, test, rows in _tests():
                found.setdefault(name, {})[kind] = _alarms(test, streams, accuracy, rows)
        file.write_text(json.dumps(found))
    if peers and "ADWIN" not in found:
        for kind, streams in _streams(accuracy, draws):
            given, out = FOLDER / "streams.npy", FOLDER / "streams.json"
            np.save(given, streams)
            run("river", SCRIPT, given, out)
            for name, alarms in json.loads(out.read_text()).items():
                found.setdefault(name, {})[kind] = alarms
        file.write_text(json.dumps(found))


def kept(accuracy: float, draws: int) -> Found:
    """What has been measured; nothing if nothing has."""
    file = _file(accuracy, draws)
    found: Found = json.loads(file.read_text()) if file.exists() else {}
    return found


def _file(accuracy: float, draws: int) -> Path:
    return FOLDER / f"accuracy-drops-{round(100 * accuracy)}-{draws}.json"


def _streams(accuracy: float, draws: int) -> Iterator[tuple[str, Streams]]:
    """By kind, 1 for a wrong answer, [stream, label]."""
    rng = np.random.default_rng(round(100 * accuracy))
    yield NULL, (rng.random((draws, HORIZON), np.float32) < 1 - accuracy).astype(np.uint8)
    for one in DROPS:
        rates = np.concatenate([np.full(one.before, 1 - accuracy), np.full(one.after, 1 - accuracy + one.points)])
        yield one.name, (rng.random((max(200, draws // 5), len(rates))) < rates).astype(np.uint8)


def _tests() -> Iterator[tuple[str, Test, int]]:
    yield "ours", _ours, REFERENCE
    yield "ours, accuracy known", _ours, KNOWN
    yield "cumulative sum", drift_cusum.alarm, REFERENCE


def _ours(right: Streams, baseline: Baseline) -> int | None:
    return accuracy_drop(right, baseline).alarm


def _alarms(test: Test, streams: Streams, accuracy: float, rows: int) -> Alarms:
    return [test(stream == 0, _baseline(accuracy, rows, number)) for number, stream in enumerate(streams)]


def _baseline(accuracy: float, rows: int, number: int) -> Baseline:
    """What a reference shows, another one for each stream."""
    if rows == KNOWN:
        return Baseline(round(accuracy * rows), rows)
    return Baseline.of(np.random.default_rng(number).random(rows) < accuracy)


def false_alarms(alarms: Alarms) -> int:
    """Streams without a change in which an alarm was raised."""
    return sum(one is not None for one in alarms)


def early(alarms: Alarms) -> int:
    """Streams in which an alarm was raised before the drop."""
    return sum(one is not None and one <= BEFORE for one in alarms)
