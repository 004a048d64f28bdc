"""What is explained of a classifier's answer: the log-odds of one label, or the number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Array
from bertline.tasks.measured import text_logits


def names(spec: Spec, answer: Prediction | Number) -> tuple[str, ...]:
    """What can be explained of an answer, the first by default: its label, or its number."""
    if isinstance(answer, Number):
        return spec.labels
    return tuple(label for label, _ in answer.top())


def unit(spec: Spec) -> str:
    """Of what ``scores`` gives."""
    return "number" if spec.problem == "number" else "log-odds"


def scores(spec: Spec, arrays: Sequence[Sequence[Array]], name: str) -> Array:
    """One number for each input: log-odds add up where probabilities cannot, because they end at 0 and 1.

    >>> scores(Spec(labels=("bad", "good")), [[np.array([0.0, 1.0])]], "good").tolist()
    [1.0]
    """
    logits = text_logits(arrays, len(spec.labels)).astype(np.float64)
    place = spec.labels.index(name)
    if spec.problem == "number":
        return logits[:, place]
    scaled = logits / spec.temperature
    if spec.problem == "several":
        return scaled[:, place]
    others = np.delete(scaled, place, axis=1)
    top = others.max(axis=1)
    return np.asarray(scaled[:, place] - top - np.log(np.exp(others - top[:, None]).sum(axis=1)))


def margins(spec: Spec, arrays: Sequence[Sequence[Array]], name: str) -> Array:
    """How far a label is ahead of every other one, in logits: negative where the answer is another label.

    Of several labels it is how far a label is above its threshold: negative where an input does not have it.

    >>> margins(Spec(labels=("bad", "good")), [[np.array([0.0, 1.0])]], "bad").tolist()
    [-1.0]
    >>> margins(Spec(problem="several", labels=("a", "b")), [[np.array([0.5, -2.0])]], "b").tolist()
    [-2.0]
    """
    logits = text_logits(arrays, len(spec.labels)).astype(np.float64)
    place = spec.labels.index(name)
    if spec.problem == "several":
        cut = np.clip(spec.cuts[place], np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        return np.asarray(logits[:, place] / spec.temperature - np.log(cut / (1 - cut)))
    return np.asarray(logits[:, place] - np.delete(logits, place, axis=1).max(axis=1))


def said(spec: Spec, answer: Prediction, name: str) -> tuple[str, float]:
    """What an answer says, and the probability of that: its label; of several labels, whether the input has ``name``.

    >>> said(Spec(problem="several", labels=("a", "b")), Prediction("a", {"a": 0.9, "b": 0.2}, 5, 0, ("a",)), "b")
    ('not b', 0.8)
    """
    if answer.labels is None:
        return answer.label, answer.probabilities[answer.label]
    share = answer.probabilities[name]
    return (name, share) if name in answer.labels else (f"not {name}", 1 - share)


def shown(spec: Spec, score: float) -> float:
    """A score as the answer has it: the probability, or the number."""
    return score if spec.problem == "number" else float(1 / (1 + np.exp(-np.clip(score, -700, 700))))
