"""One panel of a dashboard, and the queries that panels are made of.

Queries use Grafana's variables ``$job``, ``$model``, ``$__rate_interval``, the shortest range that contains data, and
``$__range``, the range that is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "stat", "table"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: shown above it.
        description: its meaning, shown as a tooltip.
        queries: pairs of expression and legend; a legend names labels as ``{{label}}``.
        unit: by Grafana's name.
        kind: of panel.
        width: in columns; a row has 24.
        stacked: draw stacked areas.
        limit: threshold of bad values, drawn as a line.
        least: minimum of the axis.
        most: maximum of the axis.
    """

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 12
    stacked: bool = False
    limit: float | None = None
    least: float | None = 0
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Rows of panels under headings.

    Attributes:
        uid: must not change, because links contain it.
        title: of the dashboard.
        description: of the dashboard.
        by_model: whether it has a variable for models.
        rows: panels by heading.
    """

    uid: str
    title: str
    description: str
    by_model: bool
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


IN = 'job=~"$job"'
OF = f'{IN},model=~"$model"'


def rate(metric: str, where: str = IN, *, by: str = "") -> str:
    """The rate per second, summed by labels.

    >>> rate("bertline_texts_total", 'job="a"', by="model")
    'sum by (model) (rate(bertline_texts_total{job="a"}[$__rate_interval]))'
    """
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{{{where}}}[$__rate_interval]))"


def quantile(share: float, metric: str, where: str = IN, *, by: str = "") -> str:
    """A quantile of a histogram, by labels, interpolated within its bucket."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', where, by=labels)})"


def mean(metric: str, where: str = IN, *, by: str = "") -> str:
    """The mean of a histogram, by labels."""
    return f"{rate(f'{metric}_sum', where, by=by)} / {rate(f'{metric}_count', where, by=by)}"
