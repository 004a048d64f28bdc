"""What a bundle says of a classifier, and the arrays that its targets become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from bertline.statistics.activation import Activation
from bertline.tasks.contract import Label, TaskSpec

Problem = Literal["single", "several", "number"]
Threshold = Annotated[float, Field(ge=0, le=1)]
Array = np.ndarray[Any, Any]

PROBLEM_TYPES: dict[Problem, str] = {
    "single": "single_label_classification",
    "several": "multi_label_classification",
    "number": "regression",
}
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

    def array(self, targets: Sequence[Any]) -> Array:
        """Targets as training takes them: indices of labels, [text]; 0 and 1, [text, label]; or numbers, [text, 1].

        Args:
            targets: of each text, its label, its labels, or its number.

        >>> Spec(problem="several", labels=("a", "b")).array([["b"], []]).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
        """
        if self.problem == "number":
            return np.asarray(targets, dtype=np.float32).reshape(-1, 1)
        place = {label: i for i, label in enumerate(self.labels)}
        if self.problem == "single":
            return np.array([place[one] for one in targets], dtype=np.int64)
        out = np.zeros((len(targets), len(self.labels)), dtype=np.float32)
        for row, labels in zip(out, targets, strict=True):
            row[[place[one] for one in labels]] = 1
        return out
