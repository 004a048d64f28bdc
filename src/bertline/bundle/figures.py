"""The measured figures among the entries of a manifest's ``metrics``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from bertline.statistics import figures as writing
from bertline.statistics.intervals import Estimate

TITLES = {
    "accuracy": "accuracy",
    "f1": "F1",
    "micro_f1": "micro F1",
    "micro_f1_at_half": "micro F1 with thresholds of 0.5",
    "macro_f1_at_half": "macro F1 with thresholds of 0.5",
    "exact_match": "exact matches",
    "hamming_loss": "Hamming loss",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "spearman": "Spearman correlation",
    "ndcg_at_10": "NDCG@10",
    "mrr": "mean reciprocal rank",
    "map": "mean average precision",
    "bias": "bias (predicted − true)",
    "macro_f1": "macro F1",
    "mcc": "Matthews correlation",
    "nll": "negative log-likelihood",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "ece_equal_mass": "expected calibration error, bins of equal size",
}
UNCALIBRATED = "_uncalibrated"  # ends the name of a figure taken before temperature scaling
_NO_FIGURES = ("rows",)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure with its 95 % interval, where there is one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    @property
    def title(self) -> str:
        """The figure's name as people read it."""
        name = self.name.removesuffix(UNCALIBRATED)
        before = " before calibration" if name != self.name else ""
        return TITLES.get(name, name.replace("_", " ")) + before

    @property
    def text(self) -> str:
        """The value as people read it, written as everywhere."""
        return writing.value(self.name, self.value)

    @property
    def interval(self) -> str:
        """The interval as people read it; empty if there is none."""
        if self.low is None or self.high is None:
            return ""
        return writing.figure(self.name, Estimate(self.value, self.low, self.high))[1]


def figures(metrics: Mapping[str, JsonValue]) -> dict[str, Figure]:
    """The figures among ``metrics``: a number, or an object with ``value``, ``low`` and ``high``.

    >>> figures({"rows": 100, "accuracy": {"value": 0.84, "low": 0.81, "high": 0.87}})["accuracy"].interval
    '81.0–87.0'
    """
    read = {name: _figure(name, value) for name, value in metrics.items() if name not in _NO_FIGURES}
    return {name: figure for name, figure in read.items() if figure is not None}


def baseline_figures(metrics: Mapping[str, JsonValue]) -> dict[str, dict[str, Figure]]:
    """The figures of each entry of ``metrics["baselines"]``, by the baseline's name."""
    baselines = metrics.get("baselines")
    if not isinstance(baselines, dict):
        return {}
    return {name: figures(entries) for name, entries in baselines.items() if isinstance(entries, dict)}


def _figure(name: str, value: JsonValue) -> Figure | None:
    entries = value if isinstance(value, dict) else {"value": value}
    point = _number(entries.get("value"))
    if point is None:
        return None
    return Figure(name, point, _number(entries.get("low")), _number(entries.get("high")))


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
