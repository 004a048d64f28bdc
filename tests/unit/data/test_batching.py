from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.batching import WINDOW_BATCHES, Batch, pad, plan

LENGTHS = st.lists(st.integers(0, 50), max_size=120)
BUDGETS = st.integers(1, 200)
SEEDS = st.none() | st.integers(0, 2**31)
SEQUENCES = st.lists(st.lists(st.integers(0, 30_000), max_size=12), max_size=6)


def padded_tokens(lengths: list[int], batch: list[int]) -> int:
    return len(batch) * max(lengths[i] for i in batch)


def waste_tokens(lengths: list[int], batches: list[list[int]]) -> int:
    return sum(padded_tokens(lengths, batch) for batch in batches) - sum(lengths)


@given(lengths=LENGTHS, budget=BUDGETS, seed=SEEDS)
def test_every_text_is_in_one_batch_and_no_batch_is_empty(lengths: list[int], budget: int, seed: int | None) -> None:
    batches = plan(lengths, budget, seed=seed)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(batches)


@given(lengths=LENGTHS, budget=BUDGETS, seed=SEEDS)
def test_the_budget_holds_but_for_a_single_longer_text(lengths: list[int], budget: int, seed: int | None) -> None:
    for batch in plan(lengths, budget, seed=seed):
        assert padded_tokens(lengths, batch) <= budget or len(batch) == 1


@given(lengths=LENGTHS, budget=BUDGETS)
def test_without_a_seed_the_longest_come_first(lengths: list[int], budget: int) -> None:
    order = [lengths[i] for batch in plan(lengths, budget) for i in batch]
    assert order == sorted(lengths, reverse=True)


@given(lengths=LENGTHS, budget=BUDGETS, seed=SEEDS)
def test_the_same_seed_gives_the_same_batches(lengths: list[int], budget: int, seed: int | None) -> None:
    assert plan(lengths, budget, seed=seed) == plan(lengths, budget, seed=seed)


@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=300), budget=st.integers(1, 2000), seed=SEEDS)
def test_sorted_texts_waste_at_most_the_budget_times_the_logarithm_of_their_spread(
    lengths: list[int], budget: int, seed: int | None
) -> None:
    """A batch that starts at length a and is followed by one at b wastes at most budget × (a - b) / a.

    That is at most budget × the sum of 1/ℓ over b < ℓ ≤ a; over all batches of a window the sums join to less
    than the logarithm of longest / shortest.
    """
    window = max(1, int(WINDOW_BATCHES * budget / float(np.mean(lengths))))
    windows = 1 if seed is None else math.ceil(len(lengths) / window)
    bound = windows * budget * math.log(max(lengths) / min(lengths))
    assert waste_tokens(lengths, plan(lengths, budget, seed=seed)) <= bound + 1e-9


def film_reviews(rows: int = 8530) -> list[int]:
    """Token counts shaped like those of Rotten Tomatoes: mean about 27, from 4 to 80."""
    drawn = np.random.default_rng(0).gamma(5.5, 4.6, rows) + 2
    return [int(length) for length in drawn.clip(4, 80)]


@pytest.mark.parametrize(("seed", "most"), [(None, 0.01), (0, 0.06), (1, 0.06)])
def test_little_of_an_epoch_of_film_reviews_is_padding(seed: int | None, most: float) -> None:
    lengths = film_reviews()
    waste = waste_tokens(lengths, plan(lengths, 1024, seed=seed))
    assert waste / (waste + sum(lengths)) < most
    as_they_come = [list(range(i, min(i + 32, len(lengths)))) for i in range(0, len(lengths), 32)]
    assert waste < 0.1 * waste_tokens(lengths, as_they_come)


def test_two_epochs_differ_in_batches_and_in_their_order() -> None:
    lengths = film_reviews(700)  # one window: what is not sorted was shuffled after
    first, second = plan(lengths, 1024, seed=1), plan(lengths, 1024, seed=2)
    assert len(first) < WINDOW_BATCHES
    longest = [max(lengths[i] for i in batch) for batch in first]
    assert longest != sorted(longest, reverse=True)
    assert longest != [max(lengths[i] for i in batch) for batch in second]
    lengths = film_reviews(2000)
    first, second = plan(lengths, 1024, seed=1), plan(lengths, 1024, seed=2)
    assert not {frozenset(batch) for batch in first} & {frozenset(batch) for batch in second}


def test_over_epochs_a_text_meets_many_others() -> None:
    lengths = [20] * 600
    company: Counter[int] = Counter()
    for seed in range(20):
        (own,) = (batch for batch in plan(lengths, 400, seed=seed) if 0 in batch)
        company.update(i for i in own if i)
    # 20 epochs of 19 others out of 599: about 285 different ones expected, a standard deviation of about 7.
    assert len(company) > 250


@pytest.mark.parametrize("seed", [None, 3])
def test_no_texts_make_no_batches(seed: int | None) -> None:
    assert plan([], 100, seed=seed) == []


@given(sequences=SEQUENCES, pad_id=st.integers(0, 3))
def test_a_batch_holds_each_sequence_and_marks_its_real_tokens(sequences: list[list[int]], pad_id: int) -> None:
    batch = pad(sequences, pad_id)
    longest = max((len(one) for one in sequences), default=0)
    assert batch.ids.shape == batch.attend.shape == (len(sequences), longest)
    assert (batch.ids.dtype, batch.attend.dtype) == (np.int64, np.bool_)
    for row, sequence in enumerate(sequences):
        rest = longest - len(sequence)
        assert batch.ids[row].tolist() == sequence + [pad_id] * rest
        assert batch.attend[row].tolist() == [True] * len(sequence) + [False] * rest


def test_a_batch_of_nothing() -> None:
    batch = pad([], 0)
    assert isinstance(batch, Batch)
    assert batch.ids.shape == (0, 0)
