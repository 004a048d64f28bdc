from __future__ import annotations

import threading

import pytest

from bertline.inference.lanes import each_batch


@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize("number", [0, 1, 5, 40])
def test_every_batch_is_computed_once(lanes: int, number: int) -> None:
    seen: list[int] = []
    each_batch(seen.append, range(number), lanes)
    assert sorted(seen) == list(range(number))


@pytest.mark.parametrize("lanes", [1, 3])
def test_batches_begin_in_their_order(lanes: int) -> None:
    begun: list[int] = []
    each_batch(begun.append, range(60), lanes)
    assert all(position - lanes < batch < position + lanes for position, batch in enumerate(begun))


def test_as_many_batches_as_lanes_are_computed_at_a_time() -> None:
    meeting = threading.Barrier(3, timeout=10)
    each_batch(lambda _: meeting.wait() and None, range(3), 3)  # fewer at a time would wait for ever


def test_no_more_batches_than_lanes_are_computed_at_a_time() -> None:
    lock, now, most = threading.Lock(), 0, 0
    pause = threading.Event()

    def compute(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        pause.wait(0.002)
        with lock:
            now -= 1

    each_batch(compute, range(20), 2)
    assert most == 2


@pytest.mark.parametrize("lanes", [1, 2])
def test_an_error_is_raised_and_batches_that_have_not_begun_are_left_out(lanes: int) -> None:
    begun: list[int] = []
    pause = threading.Event()

    def compute(batch: int) -> None:
        begun.append(batch)
        pause.wait(0.002)
        if batch == 1:
            raise ValueError("batch 1 cannot be computed")

    with pytest.raises(ValueError, match="batch 1 cannot be computed"):
        each_batch(compute, range(100), lanes)
    assert len(begun) < 50


def test_an_error_does_not_wait_for_a_slow_earlier_batch() -> None:
    begun: list[int] = []
    last, pause = threading.Event(), threading.Event()

    def compute(batch: int) -> None:
        begun.append(batch)
        if batch == 0:
            last.wait(0.5)  # until the last batch has begun, which is not to happen
        elif batch == 1:
            raise ValueError("batch 1 cannot be computed")
        elif batch == 40:
            last.set()
        else:
            pause.wait(0.005)

    with pytest.raises(ValueError, match="batch 1"):
        each_batch(compute, range(41), 2)
    assert 40 not in begun
