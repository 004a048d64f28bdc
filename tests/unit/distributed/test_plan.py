from __future__ import annotations

import pytest

from bertline.distributed.plan import shard_name, share


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_shares_have_every_shard_once(count: int) -> None:
    numbers = range(1, 51)
    shares = [share(numbers, index, count) for index in range(1, count + 1)]
    assert sorted(number for one in shares for number in one) == [*numbers]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_is_the_same_when_others_are_done() -> None:
    assert share([2, 5, 6, 9], 2, 3) == [2, 5]


def test_names_sort_as_the_rows_do() -> None:
    names = [shard_name(number, 120_000, "csv") for number in (2, 11, 99_999, 120_000)]
    assert names == sorted(names)
