"""The most probable labels of a batch of texts among those that a scheme allows (Viterbi 1967).

The score of a sequence is the sum of its logits; the scheme only forbids. Mostly the labels with the largest logits are
allowed, and only the other texts are searched.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bertline.tasks.tag.scheme import Scheme

Logits = Float[np.ndarray[Any, Any], "batch words labels"]
Words = Bool[np.ndarray[Any, Any], "batch words"]
Labels = Int[np.ndarray[Any, Any], "batch words"]


def decode(scheme: Scheme, logits: Logits, words: Words, continues: Words) -> Labels:
    """The label of each word.

    Args:
        scheme: what may follow what.
        logits: of each word.
        words: True on real words, False on padding at the end; the label of padding is 0.
        continues: True where a unit continues the word before it (a further piece of it).
    """
    labels = np.where(words, logits.argmax(axis=2), 0)
    wrong = ~_allowed(scheme, labels, words, continues)
    if wrong.any():
        labels[wrong] = _search(scheme, logits[wrong], words[wrong], continues[wrong])
    return labels


def _allowed(scheme: Scheme, labels: Labels, words: Words, continues: Words) -> Bool[np.ndarray[Any, Any], " batch"]:
    if not labels.shape[1]:
        return np.ones(len(labels), dtype=bool)
    before, after = labels[:, :-1], labels[:, 1:]
    steps = np.where(continues[:, 1:], scheme.within[before, after], scheme.follows[before, after])
    # After the last word comes padding, which has the label O: what may not end a text has no O after it.
    return (
        scheme.begins[labels[:, 0]]
        & (steps | ~words[:, :-1]).all(axis=1)
        & (scheme.ends[labels[:, -1]] | ~words[:, -1])
    )


def _search(scheme: Scheme, logits: Logits, words: Words, continues: Words) -> Labels:
    batch, length, _ = logits.shape
    forbidden = np.where([scheme.follows, scheme.within], 0.0, -np.inf)
    score = np.where(scheme.begins, logits[:, 0].astype(np.float64), -np.inf)
    back = np.zeros(logits.shape, dtype=np.int64)
    for at in range(1, length):
        ways = score[:, :, None] + forbidden[continues[:, at].astype(np.int64)]
        back[:, at] = ways.argmax(axis=1)
        there = ways.max(axis=1) + logits[:, at]
        score = np.where(words[:, at, None], there, score)
        back[:, at] = np.where(words[:, at, None], back[:, at], np.arange(score.shape[1]))  # padding stays where it is
    labels = np.zeros((batch, length), dtype=np.int64)
    labels[:, -1] = np.where(scheme.ends, score, -np.inf).argmax(axis=1)
    for at in range(length - 1, 0, -1):
        labels[:, at - 1] = np.take_along_axis(back[:, at], labels[:, at, None], axis=1)[:, 0]
    return np.where(words, labels, 0)
