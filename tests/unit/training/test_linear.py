from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch.nn import functional

from bertline.training.linear import fit_linear

DRAWN = torch.Generator().manual_seed(3)
FEATURES = torch.randn(200, 5, generator=DRAWN) * torch.tensor([1.0, 0.1, 10.0, 1.0, 1.0]) + 4
SCORES = FEATURES @ torch.randn(5, 3, generator=DRAWN) + torch.randn(200, 3, generator=DRAWN)
LABELS = (SCORES - SCORES.mean(0)).argmax(1)
STANDARDISED = ((FEATURES - FEATURES.mean(0)) / FEATURES.std(0)).numpy()


@pytest.mark.parametrize("decay", [1e-1, 1e-3])
def test_logistic_regression_is_that_of_scikit_learn(decay: float) -> None:
    linear = fit_linear(FEATURES, 3, partial(functional.cross_entropy, target=LABELS, reduction="sum"), decay=decay)
    theirs = LogisticRegression(C=1 / (decay * len(LABELS)), tol=1e-8, max_iter=2000).fit(STANDARDISED, LABELS)
    ours = linear(FEATURES).softmax(1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(STANDARDISED), atol=2e-3)


def test_ridge_regression_is_that_of_scikit_learn() -> None:
    targets = SCORES[:, :1]
    linear = fit_linear(FEATURES, 1, lambda outputs: (outputs - targets).square().sum(), decay=0.1)
    theirs = Ridge(alpha=0.1 / 2 * len(targets)).fit(STANDARDISED, targets.numpy()[:, 0])
    np.testing.assert_allclose(linear(FEATURES)[:, 0].numpy(), theirs.predict(STANDARDISED), atol=1e-2)


def test_a_constant_feature_has_no_weight() -> None:
    features = torch.cat([FEATURES, torch.full((200, 1), 2.5)], 1)
    linear = fit_linear(features, 3, partial(functional.cross_entropy, target=LABELS, reduction="sum"), decay=1e-2)
    assert linear.weight[:, 5].abs().max() == 0
