"""What is packed is what is unpacked, however the stream of bytes is cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.batching import Ragged
from bertline.encoder.outputs import OUTPUTS
from bertline.serving.wire import PING, Frames, Order, Reply, Status

NUMBERS = st.integers(0, 2**32 - 1)
ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9), max_size=6)
VALUES = st.lists(st.integers(0, 4), min_size=1, max_size=5).flatmap(
    lambda shape: st.lists(
        st.floats(width=32, allow_nan=False), min_size=math.prod(shape), max_size=math.prod(shape)
    ).map(lambda drawn: np.array(drawn, np.float32).reshape(shape))
)
# What an order is made of: the checks of shapes draw numbers themselves, which strategies may not.
PARTS = st.tuples(NUMBERS, st.sampled_from([*OUTPUTS]), ROWS, st.booleans(), st.booleans())
TEXTS = st.text(st.characters(codec="utf-8"))


def order_of(number: int, output: str, rows: list[list[int]], alone: bool, pairs: bool) -> Order:
    segments = [[place % 2 for place, _ in enumerate(row)] for row in rows] if pairs else None
    return Order(number, output, Ragged.of_ids(rows, 7, segments), alone)


def frames_of(stream: bytes, cuts: Sequence[int] = ()) -> list[memoryview]:
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reading = Frames()
    return [frame for start, end in pairwise(ends) for frame in reading.feed(stream[start:end])]


@given(parts=PARTS)
def test_an_order_arrives_as_it_was_sent(parts: tuple[int, str, list[list[int]], bool, bool]) -> None:
    order = order_of(*parts)
    (frame,) = frames_of(order.pack())
    found = Order.unpack(frame)
    assert (found.number, found.output, found.alone) == (order.number, order.output, order.alone)
    laid, sent = found.batch.lay_out(), order.batch.lay_out()
    assert laid.ids.shape == sent.ids.shape
    assert (laid.ids.dtype, laid.attend.dtype) == (np.int64, bool)
    assert (laid.ids == sent.ids).all()
    assert (laid.attend == sent.attend).all()
    assert (laid.segments is None) == (sent.segments is None)
    if laid.segments is not None and sent.segments is not None:
        assert (laid.segments == sent.segments).all()


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
def test_the_stream_may_be_cut_anywhere(
    each: list[tuple[int, str, list[list[int]], bool, bool]], cuts: list[int]
) -> None:
    sent = [order_of(*parts).pack() for parts in each]
    found = [Order.unpack(frame).pack() for frame in frames_of(b"".join(sent), cuts)]
    assert found == sent


def test_a_byte_at_a_time() -> None:
    stream = Reply(3, Status.DONE, np.ones((2, 2), np.float32)).pack() + Reply(4, Status.FAILED, text="é").pack()
    found = [Reply.unpack(frame) for frame in frames_of(stream, range(len(stream)))]
    assert [(one.number, one.text) for one in found] == [(3, ""), (4, "é")]


def test_a_ping_is_a_frame_without_content_in_a_stream_of_others() -> None:
    reply = Reply(3, Status.FAILED, text="x").pack()
    assert [len(frame) for frame in frames_of(PING + reply + PING)] == [0, len(reply) - 4, 0]


def altered(frame: memoryview, place: int, value: int) -> memoryview:
    return memoryview(bytes(frame[:place]) + value.to_bytes(4, "little") + bytes(frame[place + 4 :]))


@pytest.mark.parametrize("value", [0, 1, 4, 2**32 - 1])
def test_oversized_arrays_are_refused_before_allocation(value: int) -> None:
    (order,) = frames_of(order_of(1, "logits", [[5, 6], [7]], False, False).pack())
    (reply,) = frames_of(Reply(1, Status.DONE, np.ones((2, 2), np.float32)).pack())
    for place in (6, 10):  # rows, columns
        with pytest.raises(ValueError, match="bytes whose head says"):
            Order.unpack(altered(order, place, value))
    with pytest.raises(ValueError, match="an order of 3 tokens whose texts have 4"):
        Order.unpack(altered(order, 24, 3))  # the first text's length
    for place in (10, 14):
        with pytest.raises(ValueError, match="bytes whose head says"):
            Reply.unpack(altered(reply, place, value))


def test_more_axes_than_any_output_has_are_refused() -> None:
    (frame,) = frames_of(Reply(1, Status.DONE, np.ones((1,) * 6, np.float32)).pack())
    with pytest.raises(ValueError, match="a reply of 6 axes, and no output has more than 5"):
        Reply.unpack(frame)


def test_half_a_surrogate_in_a_message_does_not_end_the_process() -> None:
    (frame,) = frames_of(Reply(1, Status.FAILED, text="a \ud83d").pack())
    assert Reply.unpack(frame).text == "a ?"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0])
def test_numbers_that_are_none_arrive_too(value: float) -> None:
    (frame,) = frames_of(Reply(1, Status.DONE, np.array([[value]], np.float32)).pack())
    values = Reply.unpack(frame).values
    assert values is not None
    assert values.tobytes() == np.array([[value]], np.float32).tobytes()
