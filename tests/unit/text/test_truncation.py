from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.errors import SettingsError
from bertline.text.truncation import HEAD_SHARE, Policy, Truncation

IDS = st.lists(st.integers(0, 99), max_size=60)
LIMITS = st.integers(4, 40)


@given(ids=IDS, max_tokens=LIMITS, policy=st.sampled_from(get_args(Policy)))
def test_nothing_is_lost_unreported(ids: list[int], max_tokens: int, policy: Policy) -> None:
    truncation = Truncation(max_tokens, policy)
    kept, cut = truncation.cut(ids)
    assert len(kept) + cut == len(ids)
    assert len(kept) == min(len(ids), max_tokens - 2) == min(len(ids), truncation.room)
    assert (cut == 0) == (kept == ids)


@given(ids=IDS, max_tokens=LIMITS)
def test_the_head_alone_is_the_beginning(ids: list[int], max_tokens: int) -> None:
    kept, _ = Truncation(max_tokens, "head").cut(ids)
    assert kept == ids[: len(kept)]


@given(ids=IDS, max_tokens=LIMITS)
def test_the_tail_alone_is_the_end(ids: list[int], max_tokens: int) -> None:
    kept, cut = Truncation(max_tokens, "tail").cut(ids)
    assert kept == ids[cut:]


@given(ids=IDS, max_tokens=LIMITS)
def test_head_and_tail_are_the_beginning_and_the_end(ids: list[int], max_tokens: int) -> None:
    truncation = Truncation(max_tokens)
    kept, cut = truncation.cut(ids)
    if not cut:
        return
    head = max(1, int(truncation.room * HEAD_SHARE))
    tail = len(kept) - head
    assert tail >= head >= 1
    assert kept[:head] == ids[:head]
    assert kept[head:] == ids[-tail:]


def test_a_quarter_of_the_room_is_the_head() -> None:
    kept, cut = Truncation().cut(range(1000))
    assert kept == [*range(63), *range(1000 - 191, 1000)]
    assert cut == 1000 - 254


@pytest.mark.parametrize("max_tokens", [3, 0, -1])
def test_too_little_room_is_refused(max_tokens: int) -> None:
    with pytest.raises(SettingsError, match=rf"max_tokens is {max_tokens}: give at least 4 \(\[CLS\], one token of"):
        Truncation(max_tokens)
    assert Truncation(4).cut([1, 2, 3]) == ([1, 3], 1)
