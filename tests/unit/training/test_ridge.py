"""Ridge regression on one output per label: against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from bertline.training.ridge import RIDGE, ridge_answers


@pytest.mark.parametrize(("rows", "width"), [(30, 8), (8, 30)])
def test_it_answers_as_scikit_learn_does(rows: int, width: int) -> None:
    rng = np.random.default_rng(rows)
    features, asked = rng.normal(size=(rows, width)), rng.normal(size=(200, width))
    labels = np.arange(rows) % 3
    length = np.linalg.norm(features - features.mean(0), axis=1).mean()
    peer = Ridge(alpha=RIDGE).fit(features / length, np.eye(3)[labels])
    expected = peer.predict(asked / length).argmax(1)
    assert np.array_equal(ridge_answers(features, labels, asked), expected)
    assert len(set(expected.tolist())) == 3
