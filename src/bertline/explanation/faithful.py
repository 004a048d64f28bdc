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

from bertline.explanation.settings import Removal
from bertline.explanation.words import Word, without
from bertline.text import Input

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
    one: Input,
    words: Sequence[Word],
    scores: Callable[[Sequence[Input]], Array],
    shares: Array,
    shown: Callable[[float], float],
    mask: str,
    removals: Sequence[Removal] = REMOVALS,
) -> Faithfulness:
    """Measure it; the model answers up to twenty inputs and the whole one.

    Args:
        one: the input.
        words: of it.
        scores: from inputs to scores.
        shares: of each word.
        shown: from a score to a probability or number.
        mask: the tokenizer's [MASK].
        removals: how words are removed.
    """
    order = np.argsort(-np.asarray(shares), kind="stable")
    inputs: list[Input] = [one]
    for removal in removals:
        for share in SHARES:
            top = np.zeros(len(words), dtype=bool)
            top[order[: math.ceil(share * len(words))]] = True
            inputs += [without(one, words, kept.tolist(), removal, mask) for kept in (~top, top)]
    new = dict.fromkeys(inputs)
    values = dict(zip(new, (shown(float(value)) for value in scores(list(new))), strict=True))
    whole, *others = (values[text] for text in inputs)
    return Faithfulness(
        float(np.mean([whole - gone for gone in others[::2]])),
        float(np.mean([whole - stays for stays in others[1::2]])),
    )
