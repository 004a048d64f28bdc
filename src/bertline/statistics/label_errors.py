"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068).

A row is suspected if a model is confident of another label: its probability reaches the mean probability that the model
gives that label where it is the given one. The probabilities must be of a model that was not trained on these labels.
This is cleanlab's ``find_label_issues(..., filter_by="confident_learning")``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

TIE = 1e-6  # cleanlab's tolerance: a probability that is the threshold reaches it

Given = Int[np.ndarray[Any, Any], " rows"]
Shares = Float[np.ndarray[Any, Any], "rows labels"]


def label_errors(given: Given, shares: Shares) -> Bool[np.ndarray[Any, Any], " rows"]:
    """Which labels are probably wrong.

    Args:
        given: the label of each row, an index.
        shares: the model's probabilities.

    >>> shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.1, 0.9], [0.95, 0.05]])
    >>> label_errors(np.array([0, 0, 1, 1, 1]), shares).tolist()
    [False, False, False, False, True]
    """
    labels = range(shares.shape[1])
    means = [shares[given == label, label].mean() if (given == label).any() else np.inf for label in labels]
    confident = shares >= np.array(means) - TIE
    likeliest = shares.argmax(axis=1)
    guess = np.where(confident.sum(axis=1) > 1, likeliest, confident.argmax(axis=1))
    return np.asarray(confident.any(axis=1) & (guess != given) & (likeliest != given))


def label_quality(given: Given, shares: Shares) -> Float[np.ndarray[Any, Any], " rows"]:
    """How plausible each label is, from 0 to 1: half of 1 plus its lead over the likeliest other label.

    This is cleanlab's normalised margin.
    """
    rows = np.arange(len(given))
    others = shares.copy()
    others[rows, given] = -np.inf
    return np.asarray((shares[rows, given] - others.max(axis=1) + 1) / 2)
