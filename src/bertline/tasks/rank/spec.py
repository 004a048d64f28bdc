"""What a bundle says of a ranker, and how a table's scores become targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from bertline.data.examples import Dataset
from bertline.data.settings import TaskSettings
from bertline.data.target_kinds import Scores, TargetKind
from bertline.data.targets import Target
from bertline.statistics.activation import Activation
from bertline.statistics.ranking import members
from bertline.tasks.contract import Array, TaskSpec
from bertline.text.reading import Reading, query_of


class Spec(TaskSpec):
    """A ranker: a cross-encoder that reads a query with a text and scores the text.

    Attributes:
        highest: the highest score of the training rows, and at least 1. Scores up to 1 are learned as probabilities
            that the text is relevant, higher ones as grades.
    """

    task: Literal["rank"] = "rank"
    reads: Literal["query"] = "query"
    highest: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0

    @classmethod
    def kind_to_learn(cls, settings: TaskSettings) -> TargetKind:
        """Scores of texts for queries."""
        return Scores()

    @classmethod
    def of(cls, dataset: Dataset, settings: TaskSettings) -> Spec:
        """A spec with the highest score of a table."""
        return cls(highest=max(1.0, *map(_number, dataset.targets)))

    @property
    def kind(self) -> TargetKind:
        """Scores of texts for queries."""
        return Scores()

    @property
    def labels(self) -> tuple[str, ...]:
        """The one output of the head."""
        return ("score",)

    @property
    def names(self) -> tuple[str, ...]:
        """None: targets are numbers."""
        return ()

    @property
    def graded(self) -> bool:
        """Whether scores are grades, and not probabilities."""
        return self.highest > 1

    @property
    def relevant_from(self) -> float:
        """The least score of a relevant text: half of the highest."""
        return self.highest / 2

    @property
    def activation(self) -> Activation:
        """From logits to scores."""
        return "none" if self.graded else "sigmoid"

    @property
    def problem_type(self) -> str:
        """What makes ``transformers`` compute the same loss."""
        return "regression" if self.graded else "multi_label_classification"

    def arrays(self, target: Target, reading: Reading) -> list[Array]:
        """Of every piece the same: the score, [1]."""
        return [np.array([target], dtype=np.float32)] * len(reading.pieces)

    def notes(self, targets: Sequence[Target], readings: Sequence[Reading]) -> list[tuple[str, str]]:
        """The number of queries, and of those whose texts all have the same score."""
        queries = members([query_of(reading.input) for reading in readings])
        alike = sum(len({targets[row] for row in rows}) == 1 for rows in queries)
        note = f"{len(queries):,} training queries, {len(targets) / max(1, len(queries)):.1f} texts each"
        return [("Queries", note + (f"; in {alike:,} of them all texts have the same score" if alike else ""))]


def _number(target: Target) -> float:
    assert isinstance(target, float)
    return target
