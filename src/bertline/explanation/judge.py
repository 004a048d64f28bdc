"""What a classifier says of changed inputs, as far as one label is concerned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertline.errors import UsageError
from bertline.explanation.question import Answering, Array
from bertline.tasks import task
from bertline.text import Input


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the classifier says of one input.

    Attributes:
        label: its label; of several, the one asked about if the input has it, else ``not`` and that one.
        shown: the probability of that.
        margin: how far the first input's verdict is ahead, in logits; negative where this one is another.
    """

    label: str
    shown: float
    margin: float


class Judge:
    """Asks a classifier about an input and changes of it, about each only once.

    Args:
        model: the classifier.
        one: the input.
        name: of several labels, the one asked about; None is the most probable one.

    Attributes:
        first: what it says of ``one``.
        answers: of the model so far.

    Raises:
        UsageError: the model gives no labels, or has no such label.
    """

    def __init__(self, model: Answering, one: Input, name: str | None = None) -> None:
        spec = model.spec
        problem = getattr(spec, "problem", "") if spec.task == "classify" else ""
        if problem not in ("single", "several"):
            raise UsageError("counter-evidence is for classifiers that give labels: leave it out")
        if name is not None and name not in spec.labels:
            raise UsageError(f"the model has no label {name!r}: choose one of {', '.join(spec.labels)}")
        self._model, self._seam, self.answers = model, task(spec.task).explained, 1
        readings, arrays = model.pieces([one], spec.output)
        (answer,) = task(spec.task).answer.answers(spec, arrays, readings)
        self._name = name if name and problem == "several" else str(answer.label)
        label, shown = self._seam.said(spec, answer, self._name)
        self._sign = 1 if label == self._name else -1
        self.first = Verdict(label, shown, self._sign * float(self._seam.margins(spec, arrays, self._name)[0]))
        self._known = {one: self.first}

    def __call__(self, inputs: Sequence[Input]) -> list[Verdict]:
        """The verdict on each input."""
        new = [one for one in dict.fromkeys(inputs) if one not in self._known]
        if new:
            spec = self._model.spec
            readings, arrays = self._model.pieces(new, spec.output)
            self.answers += len(new)
            margins = self._sign * self._seam.margins(spec, arrays, self._name)
            answers = task(spec.task).answer.answers(spec, arrays, readings)
            for one, answer, margin in zip(new, answers, margins.tolist(), strict=True):
                label, shown = self._seam.said(spec, answer, self._name)
                self._known[one] = Verdict(label, shown, margin)
        return [self._known[one] for one in inputs]

    def margins(self, inputs: Sequence[Input]) -> Array:
        """The margin of each input."""
        return np.array([one.margin for one in self(inputs)])
