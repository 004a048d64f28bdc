"""Pairs come in the order of their sums, all of them, and none before it is asked for."""

from __future__ import annotations

import random
import tracemalloc
from itertools import combinations, islice

import pytest

from bertline.explanation.pairs import best_pairs


@pytest.mark.parametrize("places", [0, 1, 2, 3, 17])
def test_every_pair_comes_once_and_in_order(places: int) -> None:
    rng = random.Random(places)
    margins = [round(rng.gauss(), 1) for _ in range(places)]  # some are the same
    found = list(best_pairs(margins))
    assert sorted(found) == list(combinations(range(places), 2))
    sums = [margins[one] + margins[other] for one, other in found]
    assert sums == sorted(sums)
    assert found == list(best_pairs(margins))


def test_two_million_pairs_are_not_in_memory() -> None:
    margins = [float(place % 97) for place in range(2_000)]
    tracemalloc.start()
    assert len([*islice(best_pairs(margins), 1_000)]) == 1_000
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 2_000_000
