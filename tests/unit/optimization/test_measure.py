from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data.batching import Batch
from bertline.optimization.measure import SINGLE_TEXTS, Arrays, agreement, compute, matrix, megabytes, speeds
from bertline.tasks.classify.measure import compare
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Comparison, TaskSpec
from bertline.tasks.tag.spec import Spec as Tags
from bertline.text import Piece, Reading

Array = np.ndarray[Any, Any]


class Sums:
    """A back end whose answer is the sum of the ids of a row."""

    def __init__(self, lanes: int = 2) -> None:
        self.lanes, self.outputs = lanes, frozenset({"logits"})
        self.sizes: list[tuple[int, ...]] = []
        self.alone = 0

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> Array:
        self.sizes.append(batch.ids.shape)
        self.alone += alone
        sums = (batch.ids * batch.attend).sum(axis=1).astype(np.float32)
        return np.stack([sums, -sums], axis=1)


def tokens(*lengths: int) -> list[Reading]:
    return [Reading([Piece([*range(row + 1, row + length + 1)])], length) for row, length in enumerate(lengths)]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 100), st.integers(1, 3))
def test_logits_come_in_the_order_of_the_rows(lengths: list[int], batch_tokens: int, lanes: int) -> None:
    rows, backend = tokens(*lengths), Sums(lanes)
    found = compute(backend, rows, 0, batch_tokens)
    assert [float(piece[0]) for (piece,) in found] == [sum(one.piece.ids) for one in rows]
    assert all(rows * longest <= batch_tokens or rows == 1 for rows, longest in backend.sizes)


LOGITS = np.random.default_rng(0).normal(size=(50, 3))
TRUTH = LOGITS.argmax(axis=1)
SPEC = Spec(labels=("a", "b", "c"))


def quality(logits: Array, reference: Array, truth: Array) -> Comparison:
    """The engine with ``logits`` against fp32 with ``reference``."""
    engine, fp32 = ([[row] for row in some] for some in (logits, reference))
    return compare(SPEC, [SPEC.labels[i] for i in truth], engine, fp32, tokens(*[1] * len(truth)))


def test_equal_logits_agree_and_lose_nothing() -> None:
    same = quality(LOGITS, LOGITS.copy(), (TRUTH + (np.arange(50) < 10)) % 3)
    assert (same.score, same.value, same.agreement, same.drop_points) == ("accuracy", 0.8, 1.0, 0.0)
    assert str(same.drop_points) == "0.0", "and not -0.0"
    assert (same.only_first, same.only_second) == (0, 0)


def test_a_label_that_changes_counts_as_lost_won_or_neither() -> None:
    changed = LOGITS.copy()
    changed[:10] = -changed[:10]  # ten rows get another label
    truth = TRUTH.copy()
    truth[5] = changed[5].argmax()  # one of them the right one
    found = quality(changed, LOGITS, truth)
    assert found.agreement == pytest.approx(0.8)
    assert found.value == pytest.approx(41 / 50)
    assert found.drop_points == pytest.approx(100 * (49 - 41) / 50)


def test_the_windows_of_a_text_come_together() -> None:
    two, one = Reading([Piece([1, 2]), Piece([3])], 3), Reading([Piece([4, 5])], 2)
    found = compute(Sums(), [two, one], 0, 64)
    assert [[float(piece[0]) for piece in pieces] for pieces in found] == [[3.0, 3.0], [9.0]]
    assert matrix(found)[:, 1].tolist() == [-3.0, -3.0, -9.0]


SEVERAL = Spec(problem="several", labels=("a", "b"), thresholds=(0.5, 0.9))
NUMBER = Spec(problem="number", labels=("stars",))


@pytest.mark.parametrize(
    ("spec", "own", "exact", "expected"),
    [
        (SPEC, [[[1, 0, 2]], [[3, 1, 0]]], [[[0, 0, 1]], [[0, 9, 0]]], 0.5),
        (SPEC, [[[9, 0, 0], [0, 1, 0]]], [[[1, 0, 0]]], 1.0),  # of windows the mean counts
        (SEVERAL, [[[1, 1]], [[1, 1]]], [[[2, -1]], [[1, 3]]], 0.5),  # 1 is below the second threshold, 3 above it
        (NUMBER, [[[1.0]], [[3.0]]], [[[1.05]], [[5.0]]], 0.5),  # within a tenth of the standard deviation
        (Tags(types=("place",)), [[[[2, 1, 0], [0, 1, 0]]]], [[[[1, 0, 0], [2, 1, 0]]]], 0.5),  # by token
    ],
)
def test_answers_agree_as_the_task_decides_them(spec: TaskSpec, own: Any, exact: Any, expected: float) -> None:
    def arrays(nested: Any) -> Arrays:
        return [[np.array(piece, dtype=np.float32) for piece in pieces] for pieces in nested]

    assert agreement(spec, arrays(own), arrays(exact)) == expected


def test_speeds_time_the_same_work_for_every_engine() -> None:
    backends = {name: Sums() for name in ("a", "b")}
    rows = tokens(*range(1, SINGLE_TEXTS + 21))
    found = speeds({name: (one, 64) for name, one in backends.items()}, rows, 0, repetitions=3)
    assert found.keys() == backends.keys()
    assert sorted(backends["a"].sizes) == sorted(backends["b"].sizes)
    assert backends["a"].alone == 3 * SINGLE_TEXTS
    for one in found.values():
        assert one.texts_per_s > 0
        assert 0 < one.p50_ms <= one.p99_ms


def test_sizes_are_summed_in_megabytes(tmp_path: Path) -> None:
    for name, size in (("graph", 1_500_000), ("weights", 500_000)):
        (tmp_path / name).write_bytes(bytes(size))
    assert megabytes([tmp_path / "graph", tmp_path / "weights"]) == 2.0
