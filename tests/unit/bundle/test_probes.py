from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.bundle.probes import NUMBER, PROBES, TOLERANCE, Probes, choose, deviation, read_probes
from bertline.errors import BundleError

LOGITS = np.array([[1.0, -1.0], [-1.0, 1.0], [0.25, 1 / 3]])


def test_probes_are_read_back_exactly(tmp_path: Path) -> None:
    Probes(("a", "東京 🙂", ""), {"full": LOGITS, "student": -LOGITS}).write(tmp_path)
    found = read_probes(tmp_path)
    assert found.texts == ("a", "東京 🙂", "")
    np.testing.assert_array_equal(found.logits["full"], LOGITS)
    np.testing.assert_array_equal(found.logits["student"], -LOGITS)


def test_a_bundle_without_probes_has_none(tmp_path: Path) -> None:
    assert read_probes(tmp_path) == Probes()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"texts": ["a"]}',
        '{"texts": ["a"], "logits": [1]}',
        '{"texts": ["a"], "logits": {"full": [["x"]]}}',
        '{"texts": ["a"], "logits": {"full": [[1, 2], [3]]}}',
        '{"texts": ["a"], "logits": {"full": [1]}}',
        '{"texts": ["a"], "logits": {"full": [[1], [2]]}}',
        '{"texts": 5, "logits": {}}',
    ],
)
def test_a_damaged_file_is_a_bundle_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / PROBES
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(BundleError, match=r"probes\.json is not a file of probes \(.*\): write the bundle again with"):
        read_probes(tmp_path)


def test_the_same_logits_deviate_by_nothing() -> None:
    assert deviation(LOGITS, LOGITS.copy()) == 0.0


def test_a_deviation_is_relative_to_the_spread_and_not_to_the_size() -> None:
    found = LOGITS + np.array([[0.1, 0.0], [0.0, -0.1], [0.0, 0.0]])
    assert deviation(10 * LOGITS, 10 * found) == pytest.approx(deviation(LOGITS, found))
    assert deviation(LOGITS + 50, found + 50) == pytest.approx(deviation(LOGITS, found))
    assert deviation(LOGITS, found) == pytest.approx(0.1 / np.sqrt(3) / LOGITS.std(axis=0).mean(), rel=0.05)


@pytest.mark.parametrize("found", [LOGITS[:2], LOGITS[:, :1], np.full((3, 2), np.nan), np.full((3, 2), np.inf)])
def test_another_shape_or_no_number_is_infinitely_far(found: np.ndarray) -> None:  # type: ignore[type-arg]
    assert deviation(LOGITS, found) == float("inf")


def test_a_network_that_always_says_the_same_is_outside_every_tolerance() -> None:
    same = np.broadcast_to(LOGITS.mean(axis=0), LOGITS.shape)
    assert deviation(LOGITS, same) == pytest.approx(1.0)
    assert max(TOLERANCE.values()) < 0.5


@given(st.lists(st.integers(1, 512), min_size=1, max_size=80))
def test_probes_are_distinct_rows_from_the_shortest_to_the_longest(lengths: list[int]) -> None:
    rows = choose(lengths)
    assert len(set(rows)) == len(rows) == min(NUMBER, len(lengths))
    chosen = [lengths[row] for row in rows]
    assert chosen == sorted(chosen)
    assert chosen[0] == min(lengths)
    assert chosen[-1] == max(lengths) or len(rows) == 1
