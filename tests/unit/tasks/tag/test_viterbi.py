"""The decoded labels are the best of all allowed ones, as trying every sequence finds them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from bertline.tasks.tag.scheme import Name, Scheme
from bertline.tasks.tag.viterbi import decode

Array = np.ndarray[Any, Any]


def best_by_trying(scheme: Scheme, logits: Array, continues: Array) -> float:
    def is_allowed(labels: tuple[int, ...]) -> bool:
        steps = enumerate(itertools.pairwise(labels), 1)
        return bool(
            scheme.begins[labels[0]]
            and scheme.ends[labels[-1]]
            and all((scheme.within if continues[at] else scheme.follows)[pair] for at, pair in steps)
        )

    every = itertools.product(range(len(scheme.labels)), repeat=len(logits))
    return max(float(logits[np.arange(len(logits)), labels].sum()) for labels in every if is_allowed(labels))


@pytest.mark.parametrize("name", ["BIO", "BIOES"])
@pytest.mark.parametrize("pieces", [False, True])
def test_no_allowed_sequence_is_better(name: Name, pieces: bool) -> None:
    """T1: 40 random texts of 1 to 4 words; the sum of logits of float32 is exact to the last bit in float64."""
    scheme, rng = Scheme(name, ("x", "y") if name == "BIO" else ("x",)), np.random.default_rng(0)
    lengths = rng.integers(1, 5, size=40)
    words = np.arange(4)[None, :] < lengths[:, None]
    logits = rng.normal(size=(40, 4, len(scheme.labels)))
    continues = (rng.random((40, 4)) < 0.4) & words & (np.arange(4) > 0) & pieces
    labels = decode(scheme, logits, words, continues)
    changed = 0
    for row, own, some, length in zip(logits, labels, continues, lengths, strict=True):
        total = row[np.arange(length), own[:length]].sum()
        assert total == pytest.approx(best_by_trying(scheme, row[:length], some), abs=1e-12)
        assert not own[length:].any()
        changed += int((own[:length] != row[:length].argmax(axis=1)).any())
    assert changed >= 10  # the largest logits alone would have been wrong


def by_matrices(scheme: Scheme, logits: Array, continues: Array) -> list[int]:
    """One text by the textbook: every transition is a number, 0 or −∞; of equal scores the first label wins."""
    steps = np.where([scheme.follows, scheme.within], 0.0, -np.inf)[continues.astype(int)]
    score, back = np.where(scheme.begins, logits[0].astype(np.float64), -np.inf), []
    for own, step in zip(logits[1:], steps[1:], strict=True):
        ways = score[:, None] + step
        back.append(ways.argmax(axis=0))
        score = ways.max(axis=0) + own
    labels = [int(np.where(scheme.ends, score, -np.inf).argmax())]
    for pointers in reversed(back):
        labels.append(int(pointers[labels[-1]]))
    return labels[::-1]


@pytest.mark.parametrize("name", ["BIO", "BIOES"])
@pytest.mark.parametrize("types", [1, 10])
def test_long_texts_get_the_labels_of_the_textbook(name: Name, types: int) -> None:
    """Ties included: the logits have one decimal."""
    scheme, rng = Scheme(name, tuple("abcdefghij"[:types])), np.random.default_rng(2)
    lengths = rng.integers(1, 140, size=24)
    words = np.arange(lengths.max())[None, :] < lengths[:, None]
    logits = rng.normal(size=(*words.shape, len(scheme.labels))).round(1).astype(np.float32)
    continues = (rng.random(words.shape) < 0.4) & words & (np.arange(words.shape[1]) > 0)
    labels = decode(scheme, logits, words, continues)
    for row, own, some, length in zip(logits, labels, continues, lengths, strict=True):
        assert own[:length].tolist() == by_matrices(scheme, row[:length], some[:length])


def test_a_text_is_decoded_identically_in_any_batch() -> None:
    scheme, rng = Scheme("BIOES", ("x", "y", "z")), np.random.default_rng(1)
    logits, lengths = rng.normal(size=(30, 12, len(scheme.labels))), rng.integers(0, 13, size=30)
    words = np.arange(12)[None, :] < lengths[:, None]
    together = decode(scheme, logits, words, np.zeros_like(words))
    for row, own, length in zip(logits, together, lengths, strict=True):
        some = np.ones((1, length), dtype=bool)
        alone = decode(scheme, row[None, :length], some, ~some)
        assert alone[0].tolist() == own[:length].tolist()


def test_an_inside_without_its_beginning_is_never_given() -> None:
    scheme = Scheme("BIO", ("x", "y"))
    logits = np.array([[[1.0, 0, 5, 0, 0], [0, 0, 0, 0, 5], [5, 0, 0, 0, 0]]])
    words = np.ones((1, 3), dtype=bool)
    labels = decode(scheme, logits, words, ~words)[0]
    assert [scheme.labels[one] for one in labels] == ["O", "B-y", "O"] or labels[1] == scheme.labels.index("I-y")


def test_an_empty_batch_and_texts_without_words() -> None:
    scheme = Scheme("BIO", ("x",))
    for shape in ((0, 0), (2, 0)):
        none = np.zeros(shape, dtype=bool)
        assert decode(scheme, np.zeros((*shape, 3)), none, none).shape == shape
