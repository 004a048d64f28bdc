"""Figures of an embedder, beside those of scikit-learn and scipy, and worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.neighbors import KNeighborsClassifier

from bertline.statistics.activation import normalised
from bertline.tasks.embed.measure import compare, figures, measure
from bertline.tasks.embed.spec import Spec
from bertline.text.reading import Input, Piece, Reading, texts_of

SPEC = Spec()


def readings(inputs: Sequence[Input]) -> list[Reading]:
    return [Reading([Piece([1])] * len(texts_of(one)), 1, input=one, apart=True) for one in inputs]


def arrays(inputs: Sequence[Input], seed: int = 0) -> list[list[Any]]:
    """Random vectors: one text has one vector."""
    rng = np.random.default_rng(seed)
    texts = dict.fromkeys(text for one in inputs for text in texts_of(one))
    of = {text: rng.normal(size=16) for text in texts}
    return [[of[text] for text in texts_of(one)] for one in inputs]


def test_correlations_are_those_of_scipy() -> None:
    inputs = [(f"a{i}", f"b{i}") for i in range(60)]
    rows, truth = arrays(inputs), [float(i % 7) for i in range(60)]
    cosines = [float(normalised(one) @ normalised(other)) for one, other in rows]
    values = figures(SPEC, truth, rows, readings(inputs))
    assert values["spearman"] == pytest.approx(spearmanr(truth, cosines)[0], abs=1e-6)
    assert values["pearson"] == pytest.approx(pearsonr(truth, cosines)[0], abs=1e-6)
    evaluation = measure(SPEC, truth, rows, readings(inputs))
    spearman = evaluation.figures["Spearman"]
    assert spearman.low < spearman.value < spearman.high
    # 1.06 / √(n − 3) is the standard error of Fisher's z of a rank correlation
    assert spearman.high - spearman.low == pytest.approx(2 * 1.96 * 1.06 / 57**0.5, rel=0.3)


def test_a_constant_has_no_correlation() -> None:
    inputs = [("a", "b"), ("c", "d"), ("e", "f")]
    values = figures(SPEC, [1.0, 1.0, 1.0], arrays(inputs), readings(inputs))
    assert values == {"spearman": 0.0, "pearson": 0.0}


def test_by_labels_accuracy_is_that_of_the_nearest_neighbour() -> None:
    inputs = [f"t{i}" for i in range(80)]
    rows, truth = arrays(inputs), [str(i % 3) for i in range(80)]
    units = normalised(np.array([one for (one,) in rows]))
    nearest = KNeighborsClassifier(2, metric="cosine", algorithm="brute").fit(units, truth)
    neighbours = nearest.kneighbors(units, return_distance=False)[:, 1]
    expected = np.mean([truth[i] == truth[near] for i, near in enumerate(neighbours)])
    assert figures(SPEC, truth, rows, readings(inputs))["accuracy_at_1"] == pytest.approx(expected)


def test_a_query_searches_the_positives_and_negatives_of_all_rows() -> None:
    """Four texts; the second of two that belong to q is third."""
    inputs: list[Input] = [("q", "good"), ("Q ", "fine", "bad"), ("r", "other")]
    of = {"q": [1, 0], "Q ": [1, 0], "good": [0, 1], "fine": [1, 3], "bad": [1, 1], "r": [-1, 0], "other": [1, 0.5]}
    rows = [[np.array(of[text], dtype=float) for text in texts_of(one)] for one in inputs]
    evaluation = measure(SPEC, [()] * 3, rows, readings(inputs))
    assert (evaluation.queries, evaluation.counted, evaluation.searched) == (2, 2, 4)
    assert evaluation.figures["MRR"].value == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert evaluation.figures["accuracy@1"].value == 0.0
    first = evaluation.mistakes[0]
    assert (first.row, first.excerpt, first.truth, first.predicted) == (2, "r", "other", "good")
    assert evaluation.mistakes[1].truth == "fine"


def test_a_query_that_is_its_own_answer_does_not_count() -> None:
    inputs: list[Input] = [("same", "Same"), ("q", "a")]
    evaluation = measure(SPEC, [(), ()], arrays(inputs), readings(inputs))
    assert (evaluation.queries, evaluation.counted, evaluation.searched) == (2, 1, 2)


def test_texts_with_one_vector_count_as_the_mean_over_their_orders() -> None:
    inputs = [f"t{i}" for i in range(4)]
    rows = [[np.ones(4)] for _ in inputs]
    values = figures(SPEC, ["a", "a", "b", "b"], rows, readings(inputs))
    assert values == {"mrr": pytest.approx((1 + 1 / 2 + 1 / 3) / 3), "accuracy_at_1": pytest.approx(1 / 3)}


def test_the_score_of_shorter_embeddings_is_that_of_their_beginnings() -> None:
    inputs = [f"t{i}" for i in range(40)]
    rows, truth, own = arrays(inputs), [str(i % 3) for i in range(40)], readings(inputs)
    evaluation = measure(Spec(dimensions=(8, 2)), truth, rows, own)
    assert [*evaluation.figures] == ["MRR", "accuracy@1", "MRR, 8 dimensions", "MRR, 2 dimensions"]
    assert set(evaluation.metrics()) == {"mrr", "accuracy_at_1", "mrr_8_dimensions", "mrr_2_dimensions"}
    cut = figures(SPEC, truth, [[one[:2]] for (one,) in rows], own)
    assert evaluation.figures["MRR, 2 dimensions"].value == pytest.approx(cut["mrr"])


def test_agreement_is_the_mean_cosine_of_two_vectors_of_a_text() -> None:
    inputs, truth = [("a", "b"), ("c", "d"), ("e", "f")], [0.0, 0.5, 1.0]
    one, other = arrays(inputs), arrays(inputs, seed=1)
    flat = [normalised(np.array([piece for pieces in some for piece in pieces])) for some in (one, other)]
    compared = compare(SPEC, truth, one, other, readings(inputs))
    assert compared.agreement == pytest.approx(max(0.0, float((flat[0] * flat[1]).sum(axis=1).mean())), abs=1e-6)
