"""From a text's logits to its labels with their probabilities, or to its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from bertline.statistics.activation import probabilities
from bertline.tasks.classify.spec import Spec
from bertline.text import Reading

Array = np.ndarray[Any, Any]
DIGITS = 6  # of a probability in a table


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    Attributes:
        label: the most probable label.
        probabilities: of every label, in the model's order; they sum to 1 unless a text may have several labels.
        read_tokens: [CLS] and [SEP] count.
        cut_tokens: tokens that truncation left out.
        labels: with several labels, those whose probability reaches their threshold; else None.
    """

    label: str
    probabilities: Mapping[str, float]
    read_tokens: int
    cut_tokens: int
    labels: tuple[str, ...] | None = None

    def top(self, k: int | None = None) -> list[tuple[str, float]]:
        """The ``k`` most probable labels, or all, with their probabilities, most probable first.

        >>> Prediction("good", {"bad": 0.2, "good": 0.7, "so-so": 0.1}, read_tokens=5, cut_tokens=0).top(2)
        [('good', 0.7), ('bad', 0.2)]
        """
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:k]

    @property
    def chosen(self) -> list[tuple[str, float]]:
        """The labels that the text gets with their probabilities, most probable first; of several, maybe none."""
        if self.labels is None:
            return [(self.label, self.probabilities[self.label])]
        return [pair for pair in self.top() if pair[0] in self.labels]

    def to_json(self, top_k: int | None = None) -> dict[str, object]:
        """All fields by name, with ``top_k`` labels, most probable first; ``labels`` where a text may have several."""
        several = {} if self.labels is None else {"labels": list(self.labels)}
        return {
            "label": self.label,
            **several,
            "probabilities": [{"label": label, "probability": share} for label, share in self.top(top_k)],
            "read_tokens": self.read_tokens,
            "cut_tokens": self.cut_tokens,
        }

    def columns(self, top_k: int = 1) -> dict[str, object]:
        """Columns of a table of predictions: ``top_k`` labels, and probabilities to six digits."""
        ranks = [(label, round(share, DIGITS)) for label, share in self.top(top_k)]
        names = [("predicted_label", "probability"), *((f"label_{k}", f"probability_{k}") for k in range(2, top_k + 1))]
        columns: dict[str, object] = dict(zip(chain(*names), chain(*ranks), strict=False))
        return columns if self.labels is None else {**columns, "predicted_labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class Number:
    """The number that is predicted for one text."""

    number: float
    read_tokens: int
    cut_tokens: int

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {"number": self.number, "read_tokens": self.read_tokens, "cut_tokens": self.cut_tokens}

    def columns(self) -> dict[str, object]:
        """Columns of a table of predictions."""
        return {"predicted_number": self.number}


def answers(
    spec: Spec, rows: Sequence[Sequence[Array]], readings: Sequence[Reading]
) -> list[Prediction] | list[Number]:
    """The answer to each text.

    Args:
        spec: of the model.
        rows: logits of each text's pieces, each [label]; of several pieces the mean counts.
        readings: of the texts.

    >>> spec = Spec(problem="several", labels=("a", "b"), thresholds=(0.5, 0.1))
    >>> answers(spec, [[np.array([-4.0, -2.0])]], [Reading([], 3)])[0].labels
    ('b',)
    """
    logits = np.array([own[0] if len(own) == 1 else np.mean(own, axis=0) for own in rows], dtype=np.float64).reshape(
        -1, len(spec.labels)
    )
    if spec.problem == "number":
        return [Number(float(row[0]), reading.read, reading.cut) for row, reading in zip(logits, readings, strict=True)]
    shares = probabilities(logits, spec.activation, spec.temperature)
    cuts = spec.cuts.tolist() if spec.problem == "several" else None
    each = zip(shares.argmax(axis=1).tolist(), shares.tolist(), readings, strict=True)
    return [
        Prediction(
            spec.labels[best],
            dict(zip(spec.labels, row, strict=True)),
            reading.read,
            reading.cut,
            None
            if cuts is None
            else tuple(label for label, share, cut in zip(spec.labels, row, cuts, strict=True) if share >= cut),
        )
        for best, row, reading in each
    ]
