from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.label_errors import label_errors, label_quality


def test_it_is_the_rule_of_cleanlab() -> None:
    """As cleanlab 2.9.0 has it: find_label_issues(filter_by="confident_learning"), and the normalised margin."""
    draw = np.random.default_rng(7)
    truth = draw.integers(0, 3, 60)
    logits = draw.normal(size=(60, 3))
    logits[np.arange(60), truth] += 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = truth.copy()
    wrong = draw.random(60) < 0.15
    given[wrong] = draw.integers(0, 3, wrong.sum())
    assert np.flatnonzero(label_errors(given, shares)).tolist() == [5, 22, 24, 33, 43, 47, 50, 51, 52, 56]
    assert label_quality(given, shares)[:3].tolist() == pytest.approx([0.798442, 0.969932, 0.613206], abs=1e-6)


def test_a_label_without_rows_is_nobodys_correct_one() -> None:
    shares = np.array([[0.1, 0.1, 0.8], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    assert not label_errors(np.array([0, 0, 1]), shares).any()
