from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.errors import SettingsError
from bertline.text.truncation import HEAD_SHARE, Policy, Truncation, shares

LENGTHS = st.integers(0, 60)
LIMITS = st.integers(4, 40)
POLICIES = st.sampled_from(get_args(Policy))


def places(truncation: Truncation, length: int) -> list[int]:
    """What is read of a text of ``length`` tokens in one piece."""
    [(chosen,)] = truncation.pieces([length])
    return [*chosen]


@given(length=LENGTHS, max_tokens=LIMITS, policy=POLICIES.filter(lambda policy: policy != "window"))
def test_as_many_tokens_are_read_as_fit(length: int, max_tokens: int, policy: Policy) -> None:
    chosen = places(Truncation(max_tokens, policy), length)
    assert chosen == sorted({*chosen})
    assert len(chosen) == min(length, max_tokens - 2)


@given(length=LENGTHS, max_tokens=LIMITS)
def test_the_head_alone_is_the_beginning(length: int, max_tokens: int) -> None:
    assert places(Truncation(max_tokens, "head"), length) == [*range(min(length, max_tokens - 2))]


@given(length=LENGTHS, max_tokens=LIMITS)
def test_the_tail_alone_is_the_end(length: int, max_tokens: int) -> None:
    assert places(Truncation(max_tokens, "tail"), length) == [*range(max(0, length - max_tokens + 2), length)]


@pytest.mark.parametrize("policy", ["head_tail", "error"])
@given(length=LENGTHS, max_tokens=LIMITS)
def test_head_and_tail_are_the_beginning_and_the_end(policy: Policy, length: int, max_tokens: int) -> None:
    chosen = places(Truncation(max_tokens, policy), length)
    if len(chosen) == length:
        return
    head = max(1, int((max_tokens - 2) * HEAD_SHARE))
    tail = len(chosen) - head
    assert tail >= head >= 1
    assert chosen == [*range(head), *range(length - tail, length)]


def test_a_quarter_of_the_room_is_the_head() -> None:
    assert places(Truncation(), 1000) == [*range(63), *range(1000 - 191, 1000)]


@given(first=LENGTHS, second=LENGTHS, room=LIMITS)
def test_of_a_pair_tokens_are_taken_from_the_longer_text(first: int, second: int, room: int) -> None:
    kept = shares(first, second, room)
    assert sum(kept) == min(first + second, room)
    assert kept[0] <= first
    assert kept[1] <= second
    if min(first, second) <= room // 2:  # the shorter one stays whole
        assert min(first, second) in kept
    else:
        assert abs(kept[0] - kept[1]) <= 1


@given(first=LENGTHS, second=LENGTHS, max_tokens=LIMITS, policy=POLICIES)
def test_each_text_of_a_pair_is_cut_by_the_policy(first: int, second: int, max_tokens: int, policy: Policy) -> None:
    truncation = Truncation(max_tokens, policy)
    pieces = truncation.pieces([first, second])
    rooms = shares(first, second, max_tokens - 3)
    assert {(len(a), len(b)) for a, b in pieces} == {rooms}
    for length, room, side in zip((first, second), rooms, (0, 1), strict=True):
        if room < 2:
            continue
        chosen = {tuple(piece[side]) for piece in pieces}
        if policy == "window" and len(chosen) > 1:
            assert {*range(length)} == {place for one in chosen for place in one}
        elif policy != "window":
            assert chosen == {tuple(places(Truncation(room + 2, policy), length))}


def test_a_pairs_windows_cover_the_longer_text_and_repeat_the_shorter() -> None:
    long, short = [range(5), range(4, 9)], range(2)
    assert Truncation(10, "window").pieces([9, 2]) == [(one, short) for one in long]
    assert Truncation(10, "window").pieces([2, 9]) == [(short, one) for one in long]
    halves = Truncation(11, "window").pieces([9, 5])  # of a shorter text that is too long too, head and tail are read
    assert halves == [(range(4), [0, 2, 3, 4]), (range(3, 7), [0, 2, 3, 4]), (range(5, 9), [0, 2, 3, 4])]


@pytest.mark.parametrize("max_tokens", [3, 0, -1])
def test_too_little_room_is_refused(max_tokens: int) -> None:
    with pytest.raises(SettingsError, match=rf"max_tokens is {max_tokens}: give at least 4 \(\[CLS\], one token of"):
        Truncation(max_tokens)
    assert places(Truncation(4), 3) == [0, 2]
