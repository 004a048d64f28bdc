"""What a bundle says of a classifier, and the arrays that its targets become."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from bertline.data.examples import Dataset
from bertline.data.labels import Labels
from bertline.data.settings import Problem, Reads, TaskSettings
from bertline.data.target_columns import FlagColumns, LabelColumn, NumberColumn
from bertline.data.target_kinds import AnyLabels, Numbers, OneLabel, SeveralLabels, TargetKind
from bertline.data.targets import Target, names_of
from bertline.errors import SettingsError
from bertline.statistics.activation import Activation
from bertline.tasks.contract import Label, TaskSpec
from bertline.text import Reading

Threshold = Annotated[float, Field(ge=0, le=1)]
Array = np.ndarray[Any, Any]

PROBLEM_TYPES: dict[Problem, str] = {
    "single": "single_label_classification",
    "several": "multi_label_classification",
    "number": "regression",
}
KINDS: dict[Problem, TargetKind] = {"single": OneLabel(), "several": SeveralLabels(), "number": Numbers()}
_LEAST: dict[Problem, int] = {"single": 2, "several": 1, "number": 1}


class Spec(TaskSpec):
    """A classifier.

    Attributes:
        problem: one label per text; several labels, each by itself; or a number.
        thresholds: with several labels, the least probability at which each is given; none means 0.5.
    """

    task: Literal["classify"] = "classify"
    problem: Problem = "single"
    labels: tuple[Label, ...]
    thresholds: tuple[Threshold, ...] = ()

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: tuple[str, ...], info: Any) -> tuple[str, ...]:
        problem: Problem = info.data.get("problem", "single")
        if len(set(labels)) < len(labels):
            raise ValueError("two labels are the same")
        if len(labels) < _LEAST[problem]:
            raise ValueError(f"there have to be at least {_LEAST[problem]}")
        if problem == "number" and len(labels) > 1:
            raise ValueError("a number has one name")
        return labels

    @field_validator("thresholds")
    @classmethod
    def _thresholds(cls, thresholds: tuple[float, ...], info: Any) -> tuple[float, ...]:
        if thresholds and (info.data.get("problem") != "several" or len(thresholds) != len(info.data["labels"])):
            raise ValueError("give one for each label, of a classifier of several labels")
        return thresholds

    @classmethod
    def kind_to_learn(cls, settings: TaskSettings) -> TargetKind:
        """By the problem; without one, several labels where the table has lists of them."""
        if settings.problem in ("single", "number") and (settings.label_columns or settings.label_separator):
            raise SettingsError(
                f"problem is {settings.problem!r}, but label_columns and label_separator give a text several labels: "
                "leave them out, or set problem to several"
            )
        return AnyLabels() if settings.problem is None else KINDS[settings.problem]

    @classmethod
    def of(cls, dataset: Dataset, settings: TaskSettings) -> Spec:
        """A spec with the labels of a table; a number is called as its column."""
        columns = dataset.columns
        problem: Problem = "single" if isinstance(columns, LabelColumn) else "several"
        names = columns.labels if isinstance(columns, FlagColumns) else Labels.of(dataset.targets).names
        if isinstance(columns, NumberColumn):
            problem, names = "number", (columns.column,)
        reads: Reads = "pair" if len(dataset.text_columns) > 1 else "text"
        return cls(problem=problem, labels=names, reads=reads)

    @property
    def kind(self) -> TargetKind:
        """By the problem; a column of 0 and 1 has the name of its label."""
        return SeveralLabels(self.labels) if self.problem == "several" else KINDS[self.problem]

    @property
    def names(self) -> tuple[str, ...]:
        """The labels; none of a number."""
        return () if self.problem == "number" else self.labels

    @property
    def weighable(self) -> bool:
        """With one label per text."""
        return self.problem == "single"

    @property
    def problem_type(self) -> str:
        """As ``transformers`` calls the problem."""
        return PROBLEM_TYPES[self.problem]

    @property
    def ranked(self) -> bool:
        """A number has no labels to rank."""
        return self.problem != "number"

    def with_problem_type(self, problem_type: object) -> Spec:
        """Of several labels, where the checkpoint says so."""
        several = self.problem == "single" and problem_type == PROBLEM_TYPES["several"]
        return self.model_copy(update={"problem": "several"}) if several else self

    @property
    def activation(self) -> Activation:
        """From logits to probabilities."""
        return {"single": "softmax", "several": "sigmoid", "number": "none"}[self.problem]  # type: ignore[return-value]

    @property
    def cuts(self) -> Array:
        """The threshold of each label, [label]."""
        return np.array(self.thresholds or (0.5,) * len(self.labels))

    def arrays(self, target: Target, reading: Reading) -> list[Array]:
        """Of every piece the same: the label's index; 0 and 1 for the labels, [label]; or the number, [1].

        >>> from bertline.text import Piece
        >>> Spec(problem="several", labels=("a", "b")).arrays(("b",), Reading([Piece([])], 3))
        [array([0., 1.], dtype=float32)]
        """
        if self.problem == "single":
            array = np.array(self._places[str(target)])
        elif self.problem == "number":
            array = np.array([target], dtype=np.float32)
        else:
            array = np.zeros(len(self.labels), dtype=np.float32)
            array[[self._places[name] for name in names_of(target)]] = 1
        return [array] * len(reading.pieces)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """The index of each label in every spelling."""
        return Labels(self.labels).places
