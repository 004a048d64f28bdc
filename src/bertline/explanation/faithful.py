"""How faithful shares are to the model: what happens to the answer when the words with the largest shares go, or stay.

Comprehensiveness and sufficiency, each the mean over several shares of the words (DeYoung et al. 2020, ERASER), with
words deleted and with [MASK] in their place: a single way of removing words can be gamed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.explanation.sets import Sets
from bertline.explanation.settings import Removal

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words, at least one word
REMOVALS: tuple[Removal, ...] = ("delete", "mask")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Of one explanation.

    Attributes:
        comprehensiveness: mean fall of the probability (or number) when the words with the largest shares go; high is
            good.
        sufficiency: mean fall when only those words stay; low is good.
    """

    comprehensiveness: float
    sufficiency: float


def faithfulness(
    sets: Sets, shares: Array, shown: Callable[[float], float], removals: Sequence[Removal] = REMOVALS
) -> Faithfulness:
    """Measure it; the model answers up to twenty inputs and the whole one.

    Args:
        sets: scores any set of words.
        shares: of each word.
        shown: from a score to a probability or number.
        removals: how words are removed.
    """
    words = len(sets.words)
    order = np.argsort(-np.asarray(shares), kind="stable")
    tops = np.zeros((len(SHARES), words), dtype=bool)
    for row, share in zip(tops, SHARES, strict=True):
        row[order[: math.ceil(share * words)]] = True
    rows, places = np.unique(np.concatenate([~tops, tops]), axis=0, return_inverse=True)
    values = [sets(rows, removal)[places.ravel()] for removal in removals]
    whole = shown(float(sets(np.ones((1, words), dtype=bool), removals[0])[0]))
    gone, stays = np.split(np.array([[shown(float(one)) for one in row] for row in values]), 2, axis=1)
    return Faithfulness(float(whole - gone.mean()), float(whole - stays.mean()))
