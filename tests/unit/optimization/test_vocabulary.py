from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.optimization import vocabulary
from bertline.optimization.vocabulary import prune

TABLE = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)


def test_the_most_frequent_tokens_are_retained_and_ties_go_to_lower_ids() -> None:
    pruned = prune(TABLE, Counter({20: 5, 11: 2, 7: 2, 3: 2}), always=[0, 1], rows=5)
    assert pruned.kept.tolist() == [0, 1, 3, 7, 20]


def test_special_tokens_are_kept_though_no_text_has_them() -> None:
    pruned = prune(TABLE, Counter(dict.fromkeys(range(10), 9)), always=[29, 28], rows=4)
    assert pruned.kept.tolist() == [0, 1, 28, 29]


def test_a_token_without_a_row_gets_the_nearest_in_direction() -> None:
    table = np.array([[1, 0], [0, 1], [50, 1], [0.1, 3], [-1, -0.1]], dtype=np.float32)
    pruned = prune(table, Counter(), always=[0, 1], rows=2)
    assert pruned.row.tolist()[:4] == [0, 1, 0, 1]


@given(
    st.lists(st.integers(0, 29), max_size=60), st.sets(st.integers(0, 29), min_size=1, max_size=5), st.integers(6, 30)
)
def test_retained_tokens_have_their_own_rows(seen: list[int], always: set[int], rows: int) -> None:
    pruned = prune(TABLE, Counter(seen), sorted(always), rows)
    assert len(pruned.kept) == rows
    assert always <= set(pruned.kept.tolist())
    assert pruned.kept[pruned.row[pruned.kept]].tolist() == pruned.kept.tolist()
    assert pruned.covers(pruned.kept.tolist())
    others = [one for one in range(30) if one not in pruned.kept]
    assert not any(pruned.covers([one]) for one in others)


def test_retained_tokens_that_look_alike_have_their_own_rows() -> None:
    table = np.array([[0, 0], [1, 2], [2, 4], [0, 0], [5, 1]], dtype=np.float32)
    assert prune(table, Counter(), always=[0, 1, 2, 3], rows=4).row.tolist()[:4] == [0, 1, 2, 3]


def test_a_table_is_compared_in_parts_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prune(TABLE, Counter([4, 4, 9]), always=[0], rows=6)
    monkeypatch.setattr(vocabulary, "_ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(prune(TABLE, Counter([4, 4, 9]), always=[0], rows=6).row, whole.row)
