"""Figures of rankings are means over the queries whose texts differ, wherever their rows are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from bertline.evaluation.kinds.rankings import lead
from bertline.tasks.measured import MISTAKES
from bertline.tasks.rank.measure import RankEvaluation, compare, figures, measure
from bertline.tasks.rank.spec import Spec
from bertline.text import Reading

QUERIES, TEXTS = 30, 8


def drawn(noise: float = 1.0, seed: int = 0) -> tuple[list[float], list[list[np.ndarray]]]:
    """One row per query and text, query after query; the first query's texts are all irrelevant."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (QUERIES, TEXTS)).astype(float)
    truth[0] = 0
    logits = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    return truth.ravel().tolist(), [[np.array([one])] for one in logits.ravel()]


def read() -> list[Reading]:
    return [Reading([], 9, input=(f"query {i}", f"text {j}")) for i in range(QUERIES) for j in range(TEXTS)]


def measured(noise: float = 1.0) -> RankEvaluation:
    truth, arrays = drawn(noise)
    fields = [{"half": "a" if i % 2 else "b"} for i in range(QUERIES) for _ in range(TEXTS)]
    return measure(Spec(), truth, arrays, read(), fields=fields)


def test_the_score_is_scikit_learns_mean_over_queries() -> None:
    truth, arrays = drawn()
    gains, scores = np.array(truth).reshape(QUERIES, TEXTS), np.array(arrays).reshape(QUERIES, TEXTS)
    expected = ndcg_score(gains[1:], scores[1:], k=10)
    evaluation = measured()
    assert evaluation.headline()[0] == ("NDCG@10", evaluation.figures["ndcg_at_10"])
    assert evaluation.figures["ndcg_at_10"].value == pytest.approx(expected, abs=1e-12)
    assert figures(Spec(), truth, arrays, read())["ndcg_at_10"] == pytest.approx(expected, abs=1e-12)
    assert (evaluation.queries, evaluation.counted, evaluation.rows) == (QUERIES, QUERIES - 1, QUERIES * TEXTS)


def test_the_order_of_the_rows_does_not_matter() -> None:
    truth, arrays = drawn()
    order = np.random.default_rng(5).permutation(len(truth))
    readings = read()
    shuffled = measure(Spec(), [truth[i] for i in order], [arrays[i] for i in order], [readings[i] for i in order])
    for name, estimate in measured().figures.items():
        assert shuffled.figures[name].value == pytest.approx(estimate.value, abs=1e-12)


def test_the_json_is_plain_and_slices_count_queries() -> None:
    content = measured().to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert list(content["metrics"]) == ["ndcg_at_10", "mrr", "map"]
    assert sorted((one["name"], one["rows"]) for one in content["slices"]["half"]) == [("a", 15), ("b", 14)]


def test_mistakes_are_the_worst_queries_with_what_should_have_been_first() -> None:
    evaluation, (truth, _) = measured(3.0), drawn()
    assert len(evaluation.mistakes) == MISTAKES
    for one in evaluation.mistakes:
        query, best = int(one.excerpt.split()[1]), int(one.truth.split()[1])
        assert one.row // TEXTS == query
        assert truth[query * TEXTS + best] == 1
        assert one.predicted == f"text {one.row % TEXTS}"
    assert measured(0.0).mistakes == ()


def test_grades_above_half_of_the_highest_are_relevant() -> None:
    spec, readings = Spec(highest=3.0), read()[:3]
    arrays = [[np.array([one])] for one in (3.0, 2.0, 1.0)]
    scores = figures(spec, [1.0, 2.0, 3.0], arrays, readings)
    assert scores["mrr"] == 0.5
    assert scores["map"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_two_networks_agree_on_the_pairs_that_both_order_alike() -> None:
    truth, arrays = drawn(0.3)
    _, other = drawn(3.0, seed=4)
    comparison = compare(Spec(), truth, arrays, other, read())
    assert comparison.verdict == 1
    assert comparison.only_first > comparison.only_second
    reversed_order = [[-one[0]] for one in arrays]
    assert compare(Spec(), truth, arrays, reversed_order, read()).agreement == 0.0


def test_one_query_has_no_interval() -> None:
    truth, arrays = [1.0, 0.0, 0.0], [[np.array([one])] for one in (0.1, 0.9, 0.5)]
    readings = [Reading([], 9, input=("query", text)) for text in "abc"]
    evaluation = measure(Spec(), truth, arrays, readings)
    ndcg = evaluation.figures["ndcg_at_10"]
    assert (ndcg.value, ndcg.low, ndcg.high) == (pytest.approx(0.5), 0.0, 1.0)
    assert "NDCG@10 0.500 over 1 of 1 queries with 3 texts (one query says nothing about others, so there is no" in (
        lead(evaluation)
    )
    difference = compare(Spec(), truth, arrays, [[-one[0]] for one in arrays], readings).difference
    assert (difference.low, difference.high) == (-1.0, 1.0)
