"""What is watched of a classifier's answers: the probability of each label, or the number."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.classify.spec import Spec
from bertline.tasks.feedback import Json

ONE_UNIT = True  # probabilities


def columns(spec: Spec, answers: Sequence[Json], read_tokens: Sequence[int]) -> dict[str, list[float]]:
    """A number per recorded answer, by name; of two labels that exclude each other the second says it all.

    >>> columns(Spec(labels=("bad", "good")), [{"label": "good", "probabilities": {"bad": 0.2, "good": 0.8}}], [3])
    {'good': [0.8]}
    """
    if spec.problem == "number":
        return {"number": [one["number"] for one in answers]}
    names = spec.labels[1:] if spec.problem == "single" and len(spec.labels) == 2 else spec.labels
    return {name: [one["probabilities"].get(name, 0.0) for one in answers] for name in names}
