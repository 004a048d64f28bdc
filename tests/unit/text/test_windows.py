"""Windows cover a text, without a gap and without a short last one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.text.windows import OVERLAP_RATIO, windows


@given(length=st.integers(0, 400), room=st.integers(1, 60))
def test_every_id_is_in_a_window_and_in_its_place(length: int, room: int) -> None:
    found = windows(range(length), room)
    assert all(list(one) == list(range(one[0], one[-1] + 1)) for one in found if one)
    assert sorted({id_ for one in found for id_ in one}) == list(range(length))


@given(length=st.integers(0, 400), room=st.integers(1, 60))
def test_windows_are_full_begin_at_the_head_and_end_at_the_tail(length: int, room: int) -> None:
    found = windows(range(length), room)
    if length <= room:
        assert [list(one) for one in found] == [list(range(length))]
        return
    assert {len(one) for one in found} == {room}
    assert (found[0][0], found[-1][-1]) == (0, length - 1)
    assert len({one[0] for one in found}) == len(found)  # none is there twice


@given(length=st.integers(0, 400), room=st.integers(1, 60))
def test_neighbours_overlap_by_a_quarter_and_the_last_two_by_no_less(length: int, room: int) -> None:
    found = windows(range(length), room)
    overlaps = [one[-1] + 1 - other[0] for one, other in pairwise(found)]
    assert all(overlap == int(room * OVERLAP_RATIO) for overlap in overlaps[:-1])
    assert all(int(room * OVERLAP_RATIO) <= overlap < room for overlap in overlaps)


@given(length=st.integers(1, 4000), room=st.integers(4, 60))
def test_the_number_of_windows_is_the_least_that_covers_the_text(length: int, room: int) -> None:
    step = room - int(room * OVERLAP_RATIO)
    expected = 1 if length <= room else 1 + -(-(length - room) // step)
    assert len(windows(range(length), room)) == expected


@pytest.mark.parametrize(("length", "starts"), [(8, [0]), (9, [0, 1]), (14, [0, 6]), (15, [0, 6, 7])])
def test_examples(length: int, starts: list[int]) -> None:
    assert [one[0] for one in windows(range(length), 8)] == starts
