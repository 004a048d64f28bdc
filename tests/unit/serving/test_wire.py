"""What is packed is what is unpacked, however the stream of bytes is cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.batching import pad
from bertline.serving.wire import EMPTY, Frames, Op, Order, Reply, Status

NUMBERS = st.integers(0, 2**32 - 1)
ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9), max_size=6)
VALUES = st.tuples(st.integers(0, 4), st.integers(0, 5)).flatmap(
    lambda shape: st.lists(
        st.floats(width=32, allow_nan=False), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]
    ).map(lambda found: np.array(found, np.float32).reshape(shape))
)
# What an order is made of: the checks of shapes draw numbers themselves, which strategies may not.
PARTS = st.tuples(NUMBERS, st.sampled_from(Op), ROWS, st.booleans())
TEXTS = st.text(st.characters(codec="utf-8"))


def order_of(number: int, op: Op, rows: list[list[int]], alone: bool) -> Order:
    return Order(number, op, pad(rows, 7), alone)


def frames_of(stream: bytes, cuts: Sequence[int] = ()) -> list[memoryview]:
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reading = Frames()
    return [frame for start, end in pairwise(ends) for frame in reading.feed(stream[start:end])]


@given(parts=PARTS)
def test_an_order_arrives_as_it_was_sent(parts: tuple[int, Op, list[list[int]], bool]) -> None:
    order = order_of(*parts)
    (frame,) = frames_of(order.pack())
    found = Order.unpack(frame)
    assert (found.number, found.op, found.alone) == (order.number, order.op, order.alone)
    assert found.batch.ids.shape == order.batch.ids.shape
    assert (found.batch.ids.dtype, found.batch.attend.dtype) == (np.int64, bool)
    assert (found.batch.ids == order.batch.ids).all()
    assert (found.batch.attend == order.batch.attend).all()


@given(number=NUMBERS, values=VALUES)
def test_rows_arrive_as_they_were_sent(number: int, values: np.ndarray[Any, Any]) -> None:
    (frame,) = frames_of(Reply(number, Status.DONE, values, seconds=0.5).pack())
    found = Reply.unpack(frame)
    assert (found.number, found.status, found.text, found.seconds) == (number, Status.DONE, "", 0.5)
    assert found.values is not None
    assert (found.values.shape, found.values.tobytes()) == (values.shape, values.tobytes())
    assert found.values.flags.writeable  # a copy: the frame may go


@given(number=NUMBERS, status=st.sampled_from([Status.READY, Status.FAILED, Status.NO_MEMORY]), text=TEXTS)
def test_a_message_arrives_as_it_was_sent(number: int, status: Status, text: str) -> None:
    (frame,) = frames_of(Reply(number, status, text=text).pack())
    found = Reply.unpack(frame)
    assert (found.number, found.status, found.values, found.text) == (number, status, None, text)


@given(each=st.lists(PARTS, max_size=4), cuts=st.lists(st.integers(0, 600), max_size=12))
def test_the_stream_may_be_cut_anywhere(each: list[tuple[int, Op, list[list[int]], bool]], cuts: list[int]) -> None:
    sent = [order_of(*parts).pack() for parts in each]
    found = [Order.unpack(frame).pack() for frame in frames_of(b"".join(sent), cuts)]
    assert found == sent


def test_a_byte_at_a_time() -> None:
    stream = Reply(3, Status.DONE, np.ones((2, 2), np.float32)).pack() + Reply(4, Status.FAILED, text="é").pack()
    found = [Reply.unpack(frame) for frame in frames_of(stream, range(len(stream)))]
    assert [(one.number, one.text) for one in found] == [(3, ""), (4, "é")]


def test_a_question_without_a_batch() -> None:
    found = Order.unpack(frames_of(Order(1, Op.PING, EMPTY).pack())[0])
    assert (found.op, found.batch.ids.shape) == (Op.PING, (0, 0))


def test_half_a_surrogate_in_a_message_does_not_end_the_process() -> None:
    (frame,) = frames_of(Reply(1, Status.FAILED, text="a \ud83d").pack())
    assert Reply.unpack(frame).text == "a ?"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0])
def test_numbers_that_are_none_arrive_too(value: float) -> None:
    (frame,) = frames_of(Reply(1, Status.DONE, np.array([[value]], np.float32)).pack())
    values = Reply.unpack(frame).values
    assert values is not None
    assert values.tobytes() == np.array([[value]], np.float32).tobytes()
