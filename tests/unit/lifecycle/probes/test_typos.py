"""One letter of one word, and never a word that negates."""

from __future__ import annotations

from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw
from bertline.lifecycle.probes.typos import NEIGHBOURS, missing, neighbouring_key, swapped, typo

TEXT = "I never liked the wonderful soundtrack, and nothing else: see https://films.example/soundtrack or @director."
CHANGES = pytest.mark.parametrize("change", [neighbouring_key, swapped, missing])


def draw(seed: int, *known: str) -> Draw:
    return Draw(Random(seed), lambda word: word in known)


@CHANGES
def test_one_inner_letter_of_one_longer_word(change: object) -> None:
    words, changed = TEXT.split(), set()
    for seed in range(200):
        found = typo(change)((TEXT,), draw(seed))  # type: ignore[arg-type]
        assert isinstance(found, tuple)
        differing = [(one, other) for one, other in zip(words, found[0].split(), strict=True) if one != other]
        ((one, other),) = differing
        assert one[0] == other[0]
        assert one.strip(",:.")[-1] == other.strip(",:.")[-1]
        changed.add(one)
    assert changed == {"liked", "wonderful", "soundtrack,"}


@CHANGES
def test_nothing_that_the_vocabulary_has_whole(change: object) -> None:
    found = typo(change)(("angel",), Draw(Random(0), lambda word: word != "anger"))  # type: ignore[arg-type]
    assert found is None


@CHANGES
def test_short_words_and_other_scripts_stay(change: object) -> None:
    assert typo(change)(("It is not bad", "東京は大きい都市です"), draw(0)) is None  # type: ignore[arg-type]


def test_the_same_seed_changes_alike() -> None:
    assert typo(swapped)((TEXT,), draw(3)) == typo(swapped)((TEXT,), draw(3))


def test_neighbours_are_mutual() -> None:
    assert NEIGHBOURS["g"] == "fh"
    assert all(key in NEIGHBOURS[other] for key, others in NEIGHBOURS.items() for other in others)


def test_a_word_whose_letters_are_all_alike_has_none_to_swap() -> None:
    assert swapped("aaaaa", draw(0)) == "aaaaa"
    assert neighbouring_key("ééééé", draw(0)) == "ééééé"
    assert neighbouring_key("GREAT", draw(0)).isupper()
