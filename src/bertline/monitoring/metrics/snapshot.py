"""All metrics of a server at one moment, and the differences between two moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, nan

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Samples that were read together."""

    at_s: float  # on a monotonic clock
    samples: tuple[tuple[str, Labels, float], ...]  # name, labels and value of each

    def series(self, name: str, **where: str) -> list[tuple[Labels, float]]:
        """Labels and value of each series with this name and these labels."""
        return [
            (labels, value)
            for one, labels, value in self.samples
            if one == name and all(labels.get(label) == wanted for label, wanted in where.items())
        ]

    def total(self, name: str, **where: str) -> float:
        """The sum of all series with this name and these labels."""
        return sum(value for _, value in self.series(name, **where))

    def by(self, name: str, label: str, **where: str) -> dict[str, float]:
        """Sums by the values of a label."""
        totals: dict[str, float] = defaultdict(float)
        for labels, value in self.series(name, **where):
            totals[labels.get(label, "")] += value
        return dict(totals)


def increase(before: float, now: float) -> float:
    """The increase of a counter; a restarted server counts from zero.

    >>> increase(5, 7), increase(5, 2)
    (2, 2)
    """
    return now - before if now >= before else now


def increases(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """The increases of several counters by name, without unchanged ones."""
    each = {name: increase(before.get(name, 0), value) for name, value in now.items()}
    return {name: value for name, value in each.items() if value}


def quantile(share: float, buckets: Iterable[tuple[float, float]]) -> float:
    """A quantile of a histogram, interpolated within a bucket as in Prometheus.

    Args:
        share: 0.5 is the median.
        buckets: upper bounds and the number of values up to each; the last bound is infinite.

    Returns:
        NaN without values; the last finite bound for quantiles beyond it.

    >>> quantile(0.5, [(1, 2), (2, 4), (float("inf"), 4)])
    1.0
    >>> quantile(0.75, [(1, 2), (2, 4), (float("inf"), 4)])
    1.5
    """
    ordered = sorted(buckets)
    total = ordered[-1][1] if ordered else 0
    if not total:
        return nan
    rank = share * total
    low, below = 0.0, 0.0
    for bound, count in ordered:
        if count >= rank:
            if bound == inf:
                return low
            return low + (bound - low) * (rank - below) / (count - below) if count > below else bound
        low, below = bound, count
    return low


def quantiles(
    before: Snapshot, now: Snapshot, name: str, *shares: float, labels: Iterable[Labels] = ({},)
) -> list[float]:
    """Quantiles of a histogram's values between two snapshots, over all series with one of these labels."""
    earlier: dict[str, float] = defaultdict(float)
    later: dict[str, float] = defaultdict(float)
    for where in labels:
        for counts, snapshot in ((earlier, before), (later, now)):
            for bound, value in snapshot.by(f"{name}_bucket", "le", **where).items():
                counts[bound] += value
    counted = [(float(bound), increase(earlier[bound], value)) for bound, value in later.items()]
    return [quantile(share, counted) for share in shares]
