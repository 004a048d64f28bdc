"""Candidate labels: how they are read, and which models can choose among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.tasks.classify.spec import Spec
from bertline.tasks.zero_shot import COSINE_SCALE, Candidates, Entailment
from bertline.text import Reading

TWO = Candidates.of("refund, delivery")


@pytest.mark.parametrize(
    ("labels", "outputs"),
    [
        (("contradiction", "entailment", "neutral"), Entailment(1, 0)),
        (("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), Entailment(0, 2)),
        (("Neutral", "Contradicts", "Entails"), Entailment(2, 1)),
        (("entailment", "not_entailment"), Entailment(0, 1)),
        (("entailment", "neutral", "other"), None),
        (("negative", "positive"), None),
    ],
)
def test_an_entailment_model_is_known_by_its_labels(labels: tuple[str, ...], outputs: Entailment | None) -> None:
    assert Entailment.of(Spec(reads="pair", labels=labels)) == outputs


def test_a_classifier_of_single_texts_is_none_whatever_its_labels() -> None:
    assert Entailment.of(Spec(labels=("contradiction", "entailment", "neutral"))) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": []}, "labels has no label: give at least one"),
        ({"labels": " , "}, "labels has no label: give at least one"),
        ({"labels": ["a", " "]}, "labels[1] is empty: leave it out"),
        ({"labels": "a,b,a"}, "labels has 'a' twice: give each label once"),
        (
            {"labels": "a,b", "template": "It is about it."},
            "template is 'It is about it.': write {} where the label goes, as in 'This text is about {}.'",
        ),
    ],
)
def test_a_fault_is_one_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Candidates.of(**given)
    assert str(caught.value) == message


def test_probabilities_are_a_softmax_over_entailment() -> None:
    logits = np.array([[9.0, 1.0], [-3.0, 0.0], [0.0, 0.0], [5.0, 2.0]])
    readings = [Reading([], 4), Reading([], 7, 1), Reading([], 5), Reading([], 5)]
    one, other = TWO.entailed(Entailment(1, 0), logits, readings)
    assert one.probabilities == pytest.approx({"refund": 1 / (1 + np.exp(-1)), "delivery": 1 / (1 + np.exp(1))})
    assert (one.label, other.label, one.labels) == ("refund", "delivery", None)
    assert (one.read_tokens, one.cut_tokens) == (7, 1)


def test_of_several_labels_each_is_entailment_against_contradiction() -> None:
    several = Candidates(TWO.labels, several=True)
    logits = np.array([[9.0, 1.0], [-3.0, 0.0]])
    (one,) = several.entailed(Entailment(1, 0), logits, [Reading([], 4)] * 2)
    assert one.probabilities == pytest.approx({"refund": 1 / (1 + np.exp(8)), "delivery": 1 / (1 + np.exp(-3))})
    assert one.labels == ("delivery",)


def test_embeddings_are_compared_by_their_direction() -> None:
    (one,) = TWO.nearest(np.array([[2.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 1.0]]), [Reading([], 4)])
    assert one.probabilities["refund"] == pytest.approx(1 / (1 + np.exp(-COSINE_SCALE)))


@pytest.mark.parametrize("candidates", [Candidates(("a", "b"), several=True), Candidates(("a",))])
def test_embeddings_judge_no_label_by_itself(candidates: Candidates) -> None:
    with pytest.raises(UsageError, match="compares labels and judges none by itself: give at least two labels"):
        candidates.check_compared()
