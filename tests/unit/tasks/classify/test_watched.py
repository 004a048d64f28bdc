from __future__ import annotations

from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.feedback import MOST_LABELS, recorded
from bertline.tasks.classify.spec import Spec
from bertline.tasks.classify.watched import columns


def watched(spec: Spec, answer: Prediction | Number) -> dict[str, list[float]]:
    return columns(spec, [recorded(spec, answer)], [answer.read_tokens])


def test_probabilities_and_numbers() -> None:
    three = Prediction("b", {"a": 0.2, "b": 0.7, "c": 0.1}, read_tokens=3, cut_tokens=0)
    assert watched(Spec(labels=("a", "b", "c")), three) == {"a": [0.2], "b": [0.7], "c": [0.1]}
    two = Prediction("a", {"a": 0.9, "b": 0.7}, read_tokens=3, cut_tokens=0, labels=("a", "b"))
    assert watched(Spec(problem="several", labels=("a", "b")), two) == {"a": [0.9], "b": [0.7]}
    assert watched(Spec(problem="number", labels=("number",)), Number(2.5, 3, 0)) == {"number": [2.5]}


def test_probabilities_that_are_not_recorded_count_as_zero() -> None:
    names = tuple(f"label {number}" for number in range(MOST_LABELS + 2))
    shares = {name: (place + 1.0) / 10_000 for place, name in enumerate(names)}
    found = watched(Spec(labels=names), Prediction(names[-1], shares, read_tokens=3, cut_tokens=0))
    assert [found[name] for name in names[:3]] == [[0.0], [0.0], [0.0003]]
