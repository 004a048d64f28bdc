from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.bundle.engine import Precision
from bertline.bundle.probes import NUMBER, PROBES, TOLERANCE, Probes, choose, deviation, objection, read_probes
from bertline.errors import BundleError

LOGITS = np.array([[1.0, -1.0], [-1.0, 1.0], [0.25, 1 / 3]])


def test_probes_are_read_back_exactly(tmp_path: Path) -> None:
    Probes(("a", "東京 🙂", ""), {"full": LOGITS, "student": -LOGITS}).write(tmp_path)
    found = read_probes(tmp_path)
    assert found.texts == ("a", "東京 🙂", "")
    np.testing.assert_array_equal(found.logits["full"], LOGITS)
    np.testing.assert_array_equal(found.logits["student"], -LOGITS)


def test_probes_of_tokens_have_more_rows_than_texts(tmp_path: Path) -> None:
    Probes(("a", "b"), {"full": LOGITS}, "tags").write(tmp_path)
    found = read_probes(tmp_path)
    assert (found.texts, found.output) == (("a", "b"), "tags")
    np.testing.assert_array_equal(found.logits["full"], LOGITS)


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
        '{"texts": ["a", "b"], "tags": {"full": [[1, 2]]}}',
        '{"texts": 5, "logits": {}}',
        '{"texts": ["a"], "logits": {"full": [[NaN, 1.0]]}}',
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


SAME = np.broadcast_to([-2.1, 0.4], (16, 2))
ALMOST = SAME + np.linspace(0, 1e-7, 32).reshape(16, 2)


@pytest.mark.parametrize(
    ("reference", "rounding", "temperature"),
    [
        (SAME, 1e-6, 1.0),
        (ALMOST, 1e-6, 0.05),  # the lowest temperature that is ever fitted
        (40 * SAME, 3e-5, 20.0),
        (40 * SAME, 3e-5, 0.05),
        (1e5 * SAME, 0.1, 1.0),
        (1e-7 * SAME, 1e-8, 1.0),
        (1e-7 * LOGITS, 1e-8, 1.0),
        (np.zeros((16, 3)), 1e-7, 1.0),
    ],
)
def test_rounding_is_no_objection_even_for_nearly_equal_logits(
    reference: np.ndarray,  # type: ignore[type-arg]
    rounding: float,
    temperature: float,
) -> None:
    """T7: a network that answers all texts alike, one whose logits are tiny, and both at once."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], reference.shape)
    assert objection(reference, reference + rounding * signs, "fp32", temperature) is None


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("reference", [SAME, ALMOST, 40 * SAME])
def test_a_different_answer_counts_even_if_all_answers_are_equal(reference: np.ndarray, precision: Precision) -> None:  # type: ignore[type-arg]
    """T7: what is not there any more is the division by nearly nothing, not the comparison."""
    assert objection(reference, reference * 0.9, precision) is not None
    assert objection(reference, reference[:, ::-1], precision) is not None


def test_a_difference_is_measured_by_its_effect_on_probabilities() -> None:
    """T7: the same logits are nearly one answer at a temperature of 20, and far apart at 0.05."""
    found = np.add(SAME, [0.02, 0.0])
    assert objection(SAME, found, "int8", 20.0) is None
    assert objection(SAME / 100, np.add(SAME / 100, [0.02, 0.0]), "int8", 0.05) is not None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (LOGITS[:, :1], r"its logits of the probe texts have the shape \[3, 1\] instead of \[3, 2\]"),
        (LOGITS[:2], r"its logits of the probe texts have the shape \[2, 2\] instead of \[3, 2\]"),
        (np.where(LOGITS < 0, np.nan, LOGITS), "its logits of the probe texts are not all finite numbers"),
        (
            -LOGITS,
            "its logits of the probe texts are off by 20[0-9].[0-9].% of their spread, and 20.0.% is allowed for int8",
        ),
    ],
)
def test_an_objection_names_the_fault_of_the_answers_and_blames_no_machine(
    found: np.ndarray,  # type: ignore[type-arg]
    said: str,
) -> None:
    """T7."""
    why = objection(LOGITS, found, "int8")
    assert why is not None
    assert re.fullmatch(said, why), why


@given(st.lists(st.integers(1, 512), min_size=1, max_size=80))
def test_probes_are_distinct_rows_from_the_shortest_to_the_longest(lengths: list[int]) -> None:
    rows = choose(lengths)
    assert len(set(rows)) == len(rows) == min(NUMBER, len(lengths))
    chosen = [lengths[row] for row in rows]
    assert chosen == sorted(chosen)
    assert chosen[0] == min(lengths)
    assert chosen[-1] == max(lengths) or len(rows) == 1
