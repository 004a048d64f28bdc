"""The labels of a scheme, which of them may follow which, and that spelling and reading are inverse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.tasks.tag.scheme import Name, Scheme

TYPES = ("x", "y")


def allowed(scheme: Scheme, *labels: str) -> bool:
    places = [scheme.labels.index(label) for label in labels]
    return bool(
        scheme.begins[places[0]]
        and scheme.ends[places[-1]]
        and all(scheme.follows[one, other] for one, other in itertools.pairwise(places))
    )


def test_the_labels_in_order() -> None:
    assert Scheme("BIO", TYPES).labels == ("O", "B-x", "I-x", "B-y", "I-y")
    assert Scheme("BIOES", ("x",)).labels == ("O", "B-x", "I-x", "E-x", "S-x")


@pytest.mark.parametrize("labels", ["B-x", "B-x I-x I-x", "B-x B-x", "B-x I-x B-y", "O O", "O B-y I-y O"])
def test_transitions_that_bio_allows(labels: str) -> None:
    assert allowed(Scheme("BIO", TYPES), *labels.split())


@pytest.mark.parametrize("labels", ["I-x", "O I-x", "B-y I-x", "B-x O I-x", "B-x I-x I-y"])
def test_transitions_that_bio_forbids(labels: str) -> None:
    assert not allowed(Scheme("BIO", TYPES), *labels.split())


@pytest.mark.parametrize("labels", ["S-x", "B-x E-x", "B-x I-x I-x E-x", "S-x S-y B-x E-x O", "O"])
def test_transitions_that_bioes_allows(labels: str) -> None:
    assert allowed(Scheme("BIOES", TYPES), *labels.split())


@pytest.mark.parametrize(
    "labels", ["B-x", "B-x O", "E-x", "I-x E-x", "B-x E-y", "B-x I-x", "S-x E-x", "B-x B-x E-x", "B-x S-x", "E-x I-x"]
)
def test_transitions_that_bioes_forbids(labels: str) -> None:
    assert not allowed(Scheme("BIOES", TYPES), *labels.split())


@pytest.mark.parametrize(
    ("name", "steps"),
    [("BIO", ["B-x I-x", "I-x I-x", "O O"]), ("BIOES", ["B-x I-x", "B-x E-x", "I-x I-x", "I-x E-x", "O O"])],
)
def test_no_entity_begins_or_ends_inside_a_word(name: Name, steps: list[str]) -> None:
    scheme = Scheme(name, ("x",))
    pairs = itertools.product(range(len(scheme.labels)), repeat=2)
    assert sorted(f"{scheme.labels[i]} {scheme.labels[j]}" for i, j in pairs if scheme.within[i, j]) == sorted(steps)


@given(st.sampled_from(["BIO", "BIOES"]), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 1))))
def test_reading_is_the_inverse_of_spelling(name: Name, drawn: list[tuple[int, int, int]]) -> None:
    scheme, spans, at = Scheme(name, TYPES), [], 0
    for gap, words, kind in drawn:
        spans.append((at + gap, at + gap + words, kind))
        at += gap + words
    labels = scheme.spell(at + 1, spans)
    assert scheme.read(labels) == spans
    assert allowed(scheme, *(scheme.labels[one] for one in labels))


def test_no_words_have_no_entities() -> None:
    assert Scheme("BIO", TYPES).read(np.zeros(0, dtype=np.int64)) == []
