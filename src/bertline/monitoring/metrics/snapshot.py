"""All metrics of a server at one moment, and what happened between two of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, nan

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Samples that were read together.

    Attributes:
        at_s: when, on a monotonic clock.
        samples: name, labels and value of each.
    """

    at_s: float
    samples: tuple[tuple[str, Labels, float], ...]

    def series(self, name: str, **where: str) -> list[tuple[Labels, float]]:
        """Labels and value of each series of this name and these labels."""
        return [
            (labels, value)
            for one, labels, value in self.samples
            if one == name and all(labels.get(label) == wanted for label, wanted in where.items())
        ]

    def total(self, name: str, **where: str) -> float:
        """Of all series of this name and these labels."""
        return sum(value for _, value in self.series(name, **where))

    def by(self, name: str, label: str, **where: str) -> dict[str, float]:
        """Totals by the values of a label."""
        found: dict[str, float] = defaultdict(float)
        for labels, value in self.series(name, **where):
            found[labels.get(label, "")] += value
        return dict(found)


def increase(before: float, now: float) -> float:
    """What a counter counted; a server that began anew counts from zero.

    >>> increase(5, 7), increase(5, 2)
    (2, 2)
    """
    return now - before if now >= before else now


def increases(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Of several counters by name; those that stand still are left out."""
    each = {name: increase(before.get(name, 0), value) for name, value in now.items()}
    return {name: value for name, value in each.items() if value}


def quantile(share: float, buckets: Iterable[tuple[float, float]]) -> float:
    """Below what so great a share of the values lies, spread evenly within a bucket as Prometheus has it.

    Args:
        share: 0.5 is the median.
        buckets: upper bound and number of values up to it, one bound after the other, the last infinite.

    Returns:
        NaN without a value; the last finite bound for what is beyond it.

    >>> quantile(0.5, [(1, 2), (2, 4), (float("inf"), 4)])
    1.0
    >>> quantile(0.75, [(1, 2), (2, 4), (float("inf"), 4)])
    1.5
    """
    ordered = sorted(buckets)
    every = ordered[-1][1] if ordered else 0
    if not every:
        return nan
    wanted = share * every
    low, below = 0.0, 0.0
    for bound, count in ordered:
        if count >= wanted:
            if bound == inf:
                return low
            return low + (bound - low) * (wanted - below) / (count - below) if count > below else bound
        low, below = bound, count
    return low


def quantiles(
    before: Snapshot, now: Snapshot, name: str, *shares: float, labels: Iterable[Labels] = ({},)
) -> list[float]:
    """Of what a histogram saw between two snapshots.

    Args:
        before: the earlier one.
        now: the later one.
        name: of the histogram.
        shares: which quantiles.
        labels: of the series that count, all of them together.
    """
    earlier: dict[str, float] = defaultdict(float)
    later: dict[str, float] = defaultdict(float)
    for where in labels:
        for counts, snapshot in ((earlier, before), (later, now)):
            for bound, value in snapshot.by(f"{name}_bucket", "le", **where).items():
                counts[bound] += value
    counted = [(float(bound), increase(earlier[bound], value)) for bound, value in later.items()]
    return [quantile(share, counted) for share in shares]
