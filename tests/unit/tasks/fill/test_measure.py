"""Accuracy, accuracy among the first five and perplexity of masked words, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.tasks.fill import measure
from bertline.tasks.fill.spec import Spec
from bertline.testing.tiny import VOCABULARY, tiny_tokenizer
from bertline.text import Reader, Truncation

READINGS = Reader(tiny_tokenizer(), Truncation(16), offsets=True).read(["a [MASK] [MASK]", "[MASK] b"])
TRUTH = [[10, 20], [30]]


def rows(*ranks: int) -> list[list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    """Scores in which the true word of each [MASK] has this rank, from 0; neighbours differ by 1."""
    each = []
    for true, rank in zip([10, 20, 30], ranks, strict=True):
        order = [id_ for id_ in range(len(VOCABULARY)) if id_ != true]
        order.insert(rank, true)
        row = np.empty(len(VOCABULARY), dtype=np.float32)
        row[order] = -np.arange(len(VOCABULARY), dtype=np.float32)
        each.append(row)
    return [[np.array(each[:2])], [np.array(each[2:])]]


def test_figures() -> None:
    found = measure.figures(Spec(), TRUTH, rows(0, 4, 7), READINGS)
    normaliser = np.log(np.exp(-np.arange(len(VOCABULARY))).sum())
    assert found == {
        "masked_accuracy": pytest.approx(1 / 3),
        "top_5_accuracy": pytest.approx(2 / 3),
        "perplexity": pytest.approx(np.exp(normaliser + (0 + 4 + 7) / 3)),
    }
    evaluation = measure.measure(Spec(), TRUTH, rows(0, 4, 7), READINGS)
    assert (evaluation.rows, evaluation.masks) == (2, 3)
    assert {name: one["value"] for name, one in evaluation.metrics().items()} == found


def test_the_temperature_lowers_the_perplexity_and_keeps_the_order() -> None:
    arrays = rows(0, 4, 7)
    tuned = measure.tune(Spec(), TRUTH, arrays, READINGS)
    before, after = (measure.figures(spec, TRUTH, arrays, READINGS) for spec in (Spec(), tuned))
    assert tuned.temperature > 1
    assert after["perplexity"] < before["perplexity"]
    assert after["masked_accuracy"] == before["masked_accuracy"]


def test_two_networks() -> None:
    compared = measure.compare(Spec(), TRUTH, rows(0, 0, 1), rows(0, 2, 0), READINGS)
    assert (compared.score, compared.value, compared.difference.value) == ("masked accuracy", pytest.approx(2 / 3), 0.0)
    assert (compared.only_first, compared.only_second, compared.agreement) == (1, 1, pytest.approx(1 / 3))
