"""How far people who label the same texts agree: Krippendorff's alpha for labels without an order, with an interval.

It takes any number of people and texts that only some of them labelled; for two people and many texts it comes close to
Scott's pi and Cohen's kappa (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from bertline.statistics.intervals import Estimate, percentile, resampled_sums

LEAST_TEXTS = 20  # labelled by two or more; an interval of fewer says nothing

Array = np.ndarray[Any, Any]


def alpha(texts: Sequence[Sequence[Hashable]], *, seed: int = 0) -> Estimate | None:
    """Agreement beyond chance: 1 if all agree, 0 as by chance, negative if people contradict each other.

    Args:
        texts: the labels that different people gave to each text; those with fewer than two do not count.
        seed: of the bootstrap over texts.

    Returns:
        None if fewer than ``LEAST_TEXTS`` texts have two labels or more, or all labels are the same.

    >>> alpha([["a", "a"], ["b", "b"]] * 10)
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    shared = [labels for labels in texts if len(labels) > 1]
    names = {name: place for place, name in enumerate(dict.fromkeys(name for labels in shared for name in labels))}
    if len(shared) < LEAST_TEXTS or len(names) < 2:
        return None
    counts = np.zeros((len(shared), len(names)))
    for place, labels in enumerate(shared):
        for name in labels:
            counts[place, names[name]] += 1
    given = counts.sum(axis=1)
    # Pairs of one text that differ, each text weighted by the number of its labels.
    differing = (given**2 - (counts**2).sum(axis=1)) / (given - 1)
    features = np.column_stack([differing, counts])
    value = float(_alpha(features.sum(axis=0)[None, :])[0])
    return percentile(value, _alpha(resampled_sums(features, seed=seed)))


def _alpha(sums: Array) -> Array:
    """Of sums over texts: differing pairs, and the number of each label. A resample with one label only agrees."""
    differing, counts = sums[:, 0], sums[:, 1:]
    total = counts.sum(axis=1)
    by_chance = (total**2 - (counts**2).sum(axis=1)) / (total - 1)
    ratio: Array = np.divide(differing, by_chance, out=np.zeros(len(sums)), where=by_chance > 0)
    return 1 - ratio
