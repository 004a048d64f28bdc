"""NDCG, reciprocal rank and average precision equal scikit-learn's, and the mean over all orders of equal scores."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from bertline.statistics.ranking import average_precision, concordant_pairs, members, ndcg, reciprocal_rank

RNG = np.random.default_rng(7)
LISTS = [(RNG.integers(0, 4, size).astype(float), RNG.normal(size=size)) for size in (2, 5, 9, 30) for _ in range(5)]
TIED = [(RNG.integers(0, 2, size).astype(float), RNG.integers(0, 3, size).astype(float)) for size in (2, 4, 6, 6, 6)]


@pytest.mark.parametrize(("gains", "scores"), [one for one in LISTS + TIED if one[0].any()])
def test_ndcg_is_that_of_scikit_learn_with_equal_scores_too(gains: np.ndarray, scores: np.ndarray) -> None:
    for cutoff in (1, 3, 10):
        assert ndcg(gains, scores, cutoff) == pytest.approx(ndcg_score([gains], [scores], k=cutoff), abs=1e-12)


@pytest.mark.parametrize(("gains", "scores"), [one for one in LISTS if (one[0] > 1).any()])
def test_average_precision_is_that_of_scikit_learn(gains: np.ndarray, scores: np.ndarray) -> None:
    assert average_precision(gains > 1, scores) == pytest.approx(average_precision_score(gains > 1, scores), abs=1e-12)
    first = int(np.flatnonzero(gains[np.argsort(-scores)] > 1)[0])
    assert reciprocal_rank(gains > 1, scores) == pytest.approx(1 / (first + 1))


@pytest.mark.parametrize(("gains", "scores"), TIED)
def test_equal_scores_count_as_the_mean_over_their_orders(gains: np.ndarray, scores: np.ndarray) -> None:
    orders = [np.array(order) for order in permutations(range(len(scores)))]
    # Each order of the texts is sorted stably, so each order of equal ones comes up equally often.
    untied = [scores - 1e-6 * np.argsort(order) for order in orders]
    for figure in (reciprocal_rank, average_precision):
        assert figure(gains > 0, scores) == pytest.approx(np.mean([figure(gains > 0, one) for one in untied]))
    assert ndcg(gains, scores, 3) == pytest.approx(np.mean([ndcg(gains, one, 3) for one in untied]))


def test_nothing_relevant_scores_nothing() -> None:
    none, scores = np.zeros(3), np.array([1.0, 2.0, 3.0])
    assert (ndcg(none, scores), reciprocal_rank(none > 0, scores), average_precision(none > 0, scores)) == (0, 0, 0)


def test_the_pairs_in_one_order_are_kendalls() -> None:
    one, other = RNG.permutation(20).astype(float), RNG.permutation(20).astype(float)
    stats = pytest.importorskip("scipy.stats")
    assert 2 * concordant_pairs(one, other) / 190 - 1 == pytest.approx(stats.kendalltau(one, other).statistic)


def test_rows_of_a_query_need_not_be_neighbours() -> None:
    assert [rows.tolist() for rows in members(["b", "a", "b", "a", "c"])] == [[0, 2], [1, 3], [4]]
