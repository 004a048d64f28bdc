"""From the logit of a query and a text to the text's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from bertline.statistics.activation import probabilities
from bertline.tasks.contract import Array
from bertline.tasks.rank.spec import Spec
from bertline.text import Reading


@dataclass(frozen=True, slots=True)
class Score:
    """How relevant one text is to its query: a probability, or a grade on the scale of the training scores."""

    score: float
    read_tokens: int
    cut_tokens: int

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return asdict(self)

    def columns(self) -> dict[str, object]:
        """Columns of a table of predictions."""
        return {"predicted_score": self.score}


def answers(spec: Spec, rows: Sequence[Sequence[Array]], readings: Sequence[Reading]) -> list[Score]:
    """The score of each text.

    Args:
        spec: of the model.
        rows: logits of each input's pieces, each [1]; of several pieces the mean counts.
        readings: of the inputs.

    >>> answers(Spec(), [[np.array([0.0])]], [Reading([], 3)])[0].score
    0.5
    """
    logits = np.array([np.mean(own, axis=0) for own in rows], dtype=np.float64).reshape(-1, 1)
    scores = probabilities(logits, spec.activation)[:, 0].tolist()
    return [Score(score, reading.read, reading.cut) for score, reading in zip(scores, readings, strict=True)]
