"""Two models on one table: their answers to each row, and the figures of both where the rows have labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.bundle.seen import seen_among
from bertline.data.targets import to_json
from bertline.lifecycle.comparison.latency import Latencies
from bertline.lifecycle.comparison.rows import GivenTable
from bertline.lifecycle.comparison.wording import verdict_of
from bertline.lifecycle.gate.check import Check
from bertline.lifecycle.gate.rows import Judged, Outputs
from bertline.lifecycle.gate.scores import non_inferior, slices
from bertline.lifecycle.gate.settings import GateSettings
from bertline.lifecycle.gate.sound import calibrated
from bertline.statistics.as_json import as_json
from bertline.statistics.intervals import Estimate, wilson
from bertline.tasks import task
from bertline.tasks.compared import RowCompared
from bertline.tasks.contract import Comparison, Evaluation, TaskSpec
from bertline.tasks.feedback import FeedbackFault

MOST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class Labelled:
    """What labels say of two models.

    Attributes:
        first, second: figures of each.
        test: the second against the first.
        checks: what the gate would say of these rows, if the second were to replace the first.
    """

    first: Evaluation
    second: Evaluation
    test: Comparison
    checks: Sequence[Check]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        both = self.first.to_json(), self.second.to_json()
        figures = zip(self.first.headline(), self.second.headline(), strict=True)
        return {
            "figures": [
                {"name": name, "first": as_json(one), "second": as_json(other)} for (name, one), (_, other) in figures
            ],
            "test": {**as_json(self.test), "verdict": self.test.verdict, "sentence": verdict_of(self.test)},
            "confusion": _both("confusion", both),
            "reliability": _both("reliability", both),
            "slices": [_slice(name, one) for name, one in self._sliced().items()],
            "checks": [one.to_json() for one in self.checks],
        }

    def _sliced(self) -> Mapping[str, Any]:
        return next((one.figures for one in self.checks if one.name.startswith("slices")), {})


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """Two models on one table; A is the first, B the second.

    Attributes:
        rows: of the table.
        answers: to each row.
        right: of each row, whether the first and the second are right; None where it has no label, or where answers are
            only near or far.
        labelled: where the rows have labels.
        seen: how many of the texts each model has learned from; None where its bundle does not say.
        latencies: where they were measured.
    """

    rows: GivenTable
    answers: Sequence[RowCompared]
    right: Sequence[tuple[bool | None, bool | None]]
    labelled: Labelled | None
    seen: tuple[int | None, int | None] = (None, None)
    latencies: Latencies | None = None

    @property
    def agreement(self) -> Estimate:
        """Share of the rows that both answer alike, of those where that can be said."""
        said = [one.agree for one in self.answers if one.agree is not None]
        return wilson(sum(said), len(said))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; entries of ``answers`` are lists with a value for each row."""
        examples, answers = self.rows.dataset.examples, self.answers
        return {
            "rows": len(examples),
            "skipped": dict(self.rows.dataset.skipped),
            "agreement": {
                **self.agreement.to_json(),
                "compared": sum(one.agree is not None for one in answers),
                "differ": sum(one.agree is False for one in answers),
            },
            "changes": _changes(answers),
            "answers": {
                "line": [one.line for one in examples],
                "first": [one.first for one in answers],
                "second": [one.second for one in answers],
                "agree": [one.agree for one in answers],
                "shift": [round(one.shift, 6) for one in answers],
                "first_right": [one for one, _ in self.right],
                "second_right": [other for _, other in self.right],
            },
            "labelled": self.labelled and self.labelled.to_json(),
            "seen": {"first": self.seen[0], "second": self.seen[1]},
            "latency": self.latencies and self.latencies.to_json(),
        }


def compare(
    first: Outputs,
    second: Outputs,
    rows: GivenTable,
    *,
    paths: tuple[Path, Path] | None = None,
    latencies: Latencies | None = None,
    settings: GateSettings | None = None,
) -> ComparedTable:
    """Compare what two models make of the rows of a table.

    Args:
        first: A, the one in use if there is one.
        second: B, which may replace it.
        rows: the table.
        paths: bundles of both, to look for rows that they have learned from.
        latencies: measured by the caller.
        settings: of the gate's checks; by default the gate's own.
    """
    spec, inputs = first.spec, [one.input for one in rows.dataset.examples]
    part = task(spec.task)
    both = [part.answer.answers(one.spec, one.arrays, one.readings) for one in (first, second)]
    seen = [_count(seen_among(path, inputs)) for path in paths] if paths else [None, None]
    return ComparedTable(
        rows,
        part.compared.by_row(spec, inputs, *both),
        _right(spec, rows, both),
        _labelled(first, second, rows, settings or GateSettings()) if rows.labelled else None,
        (seen[0], seen[1]),
        latencies,
    )


def _right(spec: TaskSpec, rows: GivenTable, both: Sequence[Sequence[Any]]) -> list[tuple[bool | None, bool | None]]:
    if not rows.labelled:
        return [(None, None)] * len(rows.dataset.examples)
    feedback = task(spec.task).feedback
    found = []
    for target, text, *answers in zip(rows.dataset.targets, rows.dataset.examples, *both, strict=True):
        kept = [feedback.recorded(spec, one) for one in answers]
        try:
            correct = feedback.target(spec, to_json(target), kept[0], len(text.text))
            first, second = (feedback.right(spec, one, correct) for one in kept)
        except FeedbackFault:  # a label that neither of them knows
            first = second = False
        found.append((first, second))
    return found


def _labelled(first: Outputs, second: Outputs, rows: GivenTable, settings: GateSettings) -> Labelled:
    judged = Judged(rows.dataset.source, rows.dataset, second, first)
    checks = [non_inferior(judged, settings), slices(judged, settings), calibrated(judged, settings)]
    return Labelled(
        judged.evaluation(champion=True),
        judged.evaluation(),
        judged.comparison(),
        [one for one in checks if one is not None],
    )


def _both(name: str, contents: tuple[Mapping[str, Any], Mapping[str, Any]]) -> dict[str, Any] | None:
    """An entry of both evaluations, with the labels of its rows and columns; None where there is none."""
    first, second = contents
    if name not in first:
        return None
    return {"labels": first.get("labels"), "first": first[name], "second": second[name]}


def _slice(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    difference = figures["difference"]
    return {"name": name, **figures, "first": figures["value"] - difference["value"], "second": figures["value"]}


def _changes(answers: Sequence[RowCompared]) -> list[dict[str, Any]]:
    """The most frequent pairs of different labels; none of answers that are no labels."""
    pairs = Counter(
        (one.first, one.second)
        for one in answers
        if one.agree is False and isinstance(one.first, str) and isinstance(one.second, str)
    )
    return [{"first": one, "second": other, "rows": rows} for (one, other), rows in pairs.most_common(MOST_CHANGES)]


def _count(seen: Any) -> int | None:
    return None if seen is None else int(seen.sum())
