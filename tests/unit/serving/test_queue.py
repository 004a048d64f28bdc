"""Which texts are computed next: nothing is lost, nobody starves, and little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bertline.serving.queue import LONGEST_PADDING, SHARE, TokenQueue, Waiting, bucket, turns
from bertline.text import Piece

FOREVER = 1e9
LENGTHS = st.integers(2, 512)
PACE = 1000.0  # tokens/s


def waiting(length: int, turn_s: float = 0.0, sender: str = "", deadline_s: float = FOREVER) -> Waiting[str]:
    return Waiting(Piece([1] * length), turn_s, deadline_s, sender, 0, 0.0)


def queue_of(texts: Sequence[Waiting[str]]) -> TokenQueue[str]:
    queue: TokenQueue[str] = TokenQueue()
    for text in texts:
        queue.put(text)
    return queue


def padded_of(batch: Sequence[Waiting[str]]) -> int:
    return len(batch) * max(text.tokens for text in batch)


# What texts are made of: the checks of types draw numbers themselves, which strategies may not.
TEXTS = st.lists(st.tuples(LENGTHS, st.floats(0, 10)), max_size=40)


@given(specs=TEXTS, budget=st.integers(1, 4096))
def test_every_text_is_taken_once(specs: list[tuple[int, float]], budget: int) -> None:
    texts = [waiting(*one) for one in specs]
    queue = queue_of(texts)
    assert {id(text) for text in queue} == {id(text) for text in texts}
    taken: list[Waiting[str]] = []
    while queue.texts:
        assert queue.tokens == sum(text.tokens for text in texts) - sum(text.tokens for text in taken)
        assert queue.texts == len(texts) - len(taken)
        taken += queue.take(budget, 0.0).batch
    assert sorted(map(id, taken)) == sorted(map(id, texts))
    assert queue.tokens == 0
    assert queue.take(budget, 0.0).batch == []


@given(specs=TEXTS, budget=st.integers(1, 4096))
def test_a_batch_is_within_both_bounds_or_one_text(specs: list[tuple[int, float]], budget: int) -> None:
    queue = queue_of([waiting(*one) for one in specs])
    while batch := queue.take(budget, 0.0).batch:
        real = sum(text.tokens for text in batch)
        assert len(batch) == 1 or padded_of(batch) <= min(budget, LONGEST_PADDING * real)


@given(specs=TEXTS, budget=st.integers(1, 4096))
def test_the_earliest_turn_is_in_the_batch(specs: list[tuple[int, float]], budget: int) -> None:
    left = [waiting(*one) for one in specs]
    queue = queue_of(left)
    while batch := queue.take(budget, 0.0).batch:
        assert min(text.turn_s for text in left) == batch[0].turn_s
        left = [text for text in left if not any(text is one for one in batch)]


@given(specs=TEXTS, budget=st.integers(1, 4096), arrivals=st.lists(LENGTHS, min_size=1, max_size=4))
def test_a_text_is_taken_in_its_turn_whatever_arrives_later(
    specs: list[tuple[int, float]], budget: int, arrivals: list[int]
) -> None:
    """After as many takes as there were texts with an earlier turn, and one; new texts keep coming meanwhile."""
    texts = [waiting(*one) for one in specs]
    patient = waiting(100, turn_s=5.0, sender="patient")
    queue = queue_of([*texts, patient])
    earlier = sum(text.turn_s <= patient.turn_s for text in texts)
    for _ in range(earlier + 1):
        if any(text is patient for text in queue.take(budget, 0.0).batch):
            return
        for turn_s in turns(patient.turn_s, arrivals, PACE):  # its turn has come: these come later
            queue.put(waiting(arrivals[0], turn_s))
    raise AssertionError("the text starved")


def test_texts_of_a_large_request_interleave_with_small_ones() -> None:
    large = [waiting(100, turn_s, "large") for turn_s in turns(0.0, [100] * 20, PACE)]
    queue, order, now_s = queue_of(large), [], 0.0
    while queue.texts:
        queue.put(waiting(100, next(turns(now_s, [100], PACE)), "small")) if now_s < 2 else None
        (text,) = queue.take(100, now_s).batch
        order.append(text.sender)
        now_s += 100 / PACE
    assert order.count("small") == 20
    assert order.count("large") == 20
    together = order[: order.index("small") + 26]
    assert 4 <= together.count("large") <= 8  # of four texts one: its share of the machine
    assert SHARE == 0.25


def test_a_short_text_is_computed_before_a_long_one_of_the_same_request() -> None:
    long, short = (waiting(length, next(turns(0.0, [length], PACE)), str(length)) for length in (500, 10))
    queue = queue_of([long, short])
    assert [queue.take(512, 0.0).batch[0].sender for _ in range(2)] == ["10", "500"]


def test_late_texts_are_reported_and_never_computed() -> None:
    queue = queue_of(
        [waiting(8, 0.0, "late", 5.0), waiting(8, 1.0, "in time", 9.0), waiting(300, 2.0, "also late", 1.0)]
    )
    taken = queue.take(4096, now_s=5.0)
    assert [text.sender for text in taken.batch] == ["in time"]
    assert {text.sender for text in taken.late} == {"late", "also late"}
    assert (queue.texts, queue.tokens) == (0, 0)


@given(specs=st.lists(st.tuples(LENGTHS, st.floats(0, 10), st.just(""), st.floats(0, 10)), max_size=30))
def test_a_text_is_either_computed_or_late(specs: list[tuple[int, float, str, float]]) -> None:
    texts = [waiting(*one) for one in specs]
    queue = queue_of(texts)
    batch: list[Waiting[str]] = []
    late: list[Waiting[str]] = []
    while queue.texts:
        taken = queue.take(512, now_s=5.0)
        batch, late = batch + taken.batch, late + taken.late
    assert all(text.deadline_s > 5 for text in batch)
    assert all(text.deadline_s <= 5 for text in late)
    assert sorted(map(id, batch + late)) == sorted(map(id, texts))


@given(specs=TEXTS, places=st.sets(st.integers(0, 39)))
def test_texts_of_departed_clients_are_not_computed(specs: list[tuple[int, float]], places: set[int]) -> None:
    texts = [waiting(*one) for one in specs]
    queue = queue_of(texts)
    leaving = [text for place, text in enumerate(texts) if place in places]
    for text in leaving:
        queue.leave(text)
        queue.leave(text)  # twice is once
    staying = {id(text) for text in texts} - {id(text) for text in leaving}
    assert queue.tokens == sum(text.tokens for text in texts if id(text) in staying)
    taken: list[Waiting[str]] = []
    while queue.texts:
        taken += queue.take(512, 0.0).batch
    assert {id(text) for text in taken} == staying
    assert all(text.gone for text in leaving)


def test_a_text_that_is_queued_again_keeps_its_turn() -> None:
    first, second = waiting(8, 1.0, "first"), waiting(8, 2.0, "second")
    queue = queue_of([first])
    assert queue.take(8, 0.0).batch == [first]
    queue.put(second)
    queue.put(first)
    assert queue.take(8, 0.0).batch == [first]


@given(specs=TEXTS, turn_s=st.floats(0, 10))
def test_tokens_before_a_turn(specs: list[tuple[int, float]], turn_s: float) -> None:
    texts = [waiting(*one) for one in specs]
    queue = queue_of(texts)
    assert queue.tokens_before(turn_s) == sum(text.tokens for text in texts if text.turn_s <= turn_s)


@given(now_s=st.floats(0, 100), lengths=st.lists(LENGTHS, min_size=1, max_size=20))
def test_turns_follow_each_other_at_the_pace_of_a_share(now_s: float, lengths: list[int]) -> None:
    found = [now_s, *turns(now_s, lengths, PACE)]
    gaps = [after - before for before, after in pairwise(found)]
    assert all(abs(gap * PACE * SHARE - length) < 1e-6 for gap, length in zip(gaps, lengths, strict=True))


def test_texts_of_a_bucket_are_about_as_long() -> None:
    lengths: dict[int, list[int]] = {}
    for tokens in range(1, 5000):
        lengths.setdefault(bucket(tokens), []).append(tokens)
    assert sorted(lengths) == list(lengths)  # longer texts are in higher buckets
    for same in lengths.values():
        assert same[-1] - same[0] < 4 or same[-1] / same[0] < 9 / 8
