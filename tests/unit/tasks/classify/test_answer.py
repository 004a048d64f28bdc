from __future__ import annotations

import numpy as np
import pytest

from bertline.tasks.classify.answer import Number, Prediction, answers
from bertline.tasks.classify.spec import Spec
from bertline.text import Reading

READINGS = [Reading([], 5, 2), Reading([], 3)]


def test_one_label_is_the_most_probable_one() -> None:
    rows = [[np.array([0.0, np.log(3.0)])], [np.array([1.0, 0.0])]]
    first, second = answers(Spec(labels=("bad", "good")), rows, READINGS)
    assert isinstance(first, Prediction)
    assert isinstance(second, Prediction)
    assert first.probabilities == pytest.approx({"bad": 0.25, "good": 0.75})
    assert (first.label, first.read_tokens, first.cut_tokens, first.labels) == ("good", 5, 2, None)
    assert second.columns() == {"predicted_label": "bad", "probability": 0.731059}


def test_several_labels_are_given_from_their_own_thresholds_on() -> None:
    spec = Spec(problem="several", labels=("a", "b", "c"), thresholds=(0.5, 0.75, 0.1))
    rows = [[np.array([0.0, 1.0, -2.0])], [np.array([-9.0, -9.0, -9.0])]]
    first, second = answers(spec, rows, READINGS)
    assert isinstance(first, Prediction)
    assert isinstance(second, Prediction)
    assert first.labels == ("a", "c")
    assert second.labels == ()
    assert first.to_json()["labels"] == ["a", "c"]
    assert [label for label, _ in first.chosen] == ["a", "c"]
    assert second.chosen == []
    assert first.probabilities["b"] == pytest.approx(1 / (1 + np.exp(-1)))


def test_a_number_is_the_output_itself() -> None:
    spec = Spec(problem="number", labels=("stars",))
    assert answers(spec, [[np.array([2.5])], [np.array([-1.0])]], READINGS) == [Number(2.5, 5, 2), Number(-1.0, 3, 0)]


def test_no_texts_have_no_answers() -> None:
    assert answers(Spec(labels=("bad", "good")), [], []) == []


def test_of_several_pieces_the_mean_of_the_logits_counts() -> None:
    spec = Spec(labels=("bad", "good"))
    [answer] = answers(spec, [[np.array([4.0, 0.0]), np.array([-4.0, 0.0])]], READINGS[:1])
    assert isinstance(answer, Prediction)
    assert answer.probabilities == pytest.approx({"bad": 0.5, "good": 0.5})


def test_an_answer_lists_as_many_labels_as_are_asked_for() -> None:
    answer = Prediction("b", {"a": 0.25, "b": 0.7500004, "c": 0.0}, read_tokens=5, cut_tokens=0)
    ranks = [{"label": "b", "probability": 0.7500004}, {"label": "a", "probability": 0.25}]
    assert answer.to_json(2)["probabilities"] == ranks
    assert answer.to_json()["probabilities"] == [*ranks, {"label": "c", "probability": 0.0}]
    assert answer.columns(2) == {"predicted_label": "b", "probability": 0.75, "label_2": "a", "probability_2": 0.25}
    assert answer.chosen == [("b", 0.7500004)]
