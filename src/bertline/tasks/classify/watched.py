"""What is watched of a classifier's answers: the probability of each label, or the number."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.spec import Spec

ONE_UNIT = True  # probabilities


def columns(spec: Spec, answers: Sequence[Prediction] | Sequence[Number]) -> dict[str, list[float]]:
    """A number per answer, by name; of two labels that exclude each other the second says it all.

    >>> spec = Spec(labels=("bad", "good"))
    >>> columns(spec, [Prediction("good", {"bad": 0.2, "good": 0.8}, read_tokens=3, cut_tokens=0)])
    {'good': [0.8]}
    """
    if spec.problem == "number":
        return {"number": [one.number for one in answers if isinstance(one, Number)]}
    names = spec.labels[1:] if spec.problem == "single" and len(spec.labels) == 2 else spec.labels
    return {name: [one.probabilities[name] for one in answers if isinstance(one, Prediction)] for name in names}
