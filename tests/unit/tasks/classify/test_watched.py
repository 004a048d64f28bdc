from __future__ import annotations

from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.classify.spec import Spec
from bertline.tasks.classify.watched import columns


def test_probabilities_and_numbers() -> None:
    three = Prediction("b", {"a": 0.2, "b": 0.7, "c": 0.1}, read_tokens=3, cut_tokens=0)
    assert columns(Spec(labels=("a", "b", "c")), [three]) == {"a": [0.2], "b": [0.7], "c": [0.1]}
    two = Prediction("a", {"a": 0.9, "b": 0.7}, read_tokens=3, cut_tokens=0, labels=("a", "b"))
    assert columns(Spec(problem="several", labels=("a", "b")), [two]) == {"a": [0.9], "b": [0.7]}
    assert columns(Spec(problem="number", labels=("number",)), [Number(2.5, 3, 0)]) == {"number": [2.5]}
