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
Array = np.ndarray[Any, Any]


def decode(scheme: Scheme, logits: Logits, words: Words, continues: Words) -> Labels:
    """The label of each word.

    Args:
        scheme: what may follow what.
        logits: of each word.
        words: True on real words, False on padding at the end; the label of padding is 0.
        continues: True where a unit is a further piece of the word before it.
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
    """All texts at once, word by word, in time linear in the labels.

    A label that begins something has the best label before it at which a text may end; one inside an entity, the B- or
    I- of its type. Padding can only be O, which closes a text as its end does.
    """
    padding = np.where(np.arange(logits.shape[2]), -np.inf, 0.0)
    emitted = np.where(words[:, :, None], logits, padding).swapaxes(0, 1)
    closes = np.where(scheme.ends, 0.0, -np.inf)
    scores = np.empty(emitted.shape)  # [word, text, label]
    scores[0] = np.where(scheme.begins, emitted[0], -np.inf)
    opens, inside = scheme.by_type(scores)[..., :2], scheme.by_type(scores)[..., scheme.inside]
    further = {*np.nonzero(continues)[1].tolist()}
    for at in range(1, len(scores)):
        before, score = scores[at - 1], scores[at]
        score[:] = np.maximum.reduce(before + closes, axis=1, keepdims=True)
        if at in further:  # nothing but O begins inside a word, and only after O
            score[continues[:, at]] = padding + before[continues[:, at], :1]
        inside[at] = np.maximum.reduce(opens[at - 1], axis=2, keepdims=True)
        score += emitted[at]
    return np.where(words, _trace(scheme, scores, closes, continues), 0)


def _trace(scheme: Scheme, scores: Array, closes: Array, continues: Words) -> Labels:
    """The best labels from the last word to the first, [text, word]; of equal scores the first label wins."""
    back = np.empty(scores.shape, dtype=np.int64)  # the label of a word, if the next one has this label
    back[:] = (scores + closes).argmax(axis=2)[:, :, None]
    back[:-1, :, 0][continues.T[1:]] = 0
    opened = scheme.by_type(scores)[..., :2].argmax(axis=3) + scheme.by_type(np.arange(scores.shape[2]))[:, 0]
    scheme.by_type(back)[..., scheme.inside] = opened[..., None]
    labels = np.zeros(scores.shape[:2], dtype=np.int64)
    texts = np.arange(labels.shape[1])
    after = np.zeros_like(texts)  # as if O followed the text
    for at in range(len(labels) - 1, -1, -1):
        labels[at] = after = back[at, texts, after]
    return labels.T
