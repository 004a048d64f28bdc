"""Names, places and numbers: the same in all texts, and nothing that could be a part of something longer."""

from __future__ import annotations

from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw
from bertline.lifecycle.probes.swaps import PEOPLE, PLACES, names, numbers, places


def draw(seed: int = 0) -> Draw:
    return Draw(Random(seed), lambda word: False)


def test_a_name_is_exchanged_for_one_of_the_other_list_alike_in_both_texts() -> None:
    for seed in range(20):
        found = names(("Amanda sings. Amanda!", "Is Amanda good, Darnell?"), draw(seed))
        assert found is not None
        woman, man = found[0].split()[0], found[1].split()[-1].rstrip("?")
        assert found == (f"{woman} sings. {woman}!", f"Is {woman} good, {man}?")
        assert woman in PEOPLE["Amanda"]
        assert man in PEOPLE["Darnell"]
        assert man not in PEOPLE["Adam"]


def test_lists_of_names() -> None:
    assert all(name in PEOPLE[other] for name in PEOPLE["Amanda"] for other in PEOPLE[name])
    assert {len(PEOPLE[name]) for name in ("Amanda", "Tanisha", "Adam", "Malik")} == {10}
    assert len(PEOPLE["Maria"]) == 20


@pytest.mark.parametrize(
    "text", ["Jack Nicholson is great.", "Mary Ellen sings.", "I saw Adam-Smith.", "jack of all trades", "A good film"]
)
def test_a_part_of_a_name_stays(text: str) -> None:
    assert names((text,), draw()) is None


def test_a_name_behind_the_first_word_of_a_sentence_is_no_part_of_it() -> None:
    found = names(("But Amanda sings. Then Adam does.",), draw())
    assert found is not None
    assert "Amanda" not in found[0]
    assert "Adam" not in found[0]


def test_cities_for_cities_and_countries_for_countries() -> None:
    for seed in range(20):
        found = places(("From Boston to Kenya, and in Lagos.",), draw(seed))
        assert found is not None
        _, first, _, second, _, _, third = found[0].strip(".").replace(",", "").split()
        assert {first, third} <= {*PLACES["Boston"]} - {"Boston", "Lagos"}
        assert first != third
        assert second in PLACES["Kenya"]
    assert places(("New London and South Africa",), draw()) is None


@pytest.mark.parametrize(
    "text",
    [
        "I give it a 75.", "8 out of 10", "10/10", "75%", "It costs $120", "in 1994", "at 10:45", "3.14", "B-52",
        "2 of 3", "rated 85", "1,200 people",
    ],
)  # fmt: skip
def test_numbers_that_rate_date_or_price_stay(text: str) -> None:
    assert numbers((text,), draw()) is None


def test_a_number_changes_a_little_alike_in_both_texts() -> None:
    for seed in range(20):
        found = numbers(("It has 90 minutes and 12 songs.", "90 minutes"), draw(seed))
        assert found is not None
        long, songs = (int(one) for one in found[0].split() if one.isdecimal())
        assert found[1] == f"{long} minutes"
        assert 0 < abs(long - 90) <= 3
        assert 0 < abs(songs - 12) <= 3
        assert songs > 10
