from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.agreement import LEAST_TEXTS, alpha


def by_definition(texts: list[tuple[str, ...]]) -> float:
    """From the matrix of coincidences, entry by entry."""
    names = sorted({name for labels in texts for name in labels})
    matrix = np.zeros((len(names), len(names)))
    for labels in texts:
        for one, first in enumerate(labels):
            for other, second in enumerate(labels):
                if one != other:
                    matrix[names.index(first), names.index(second)] += 1 / (len(labels) - 1)
    total, each = matrix.sum(), matrix.sum(axis=1)
    observed = total - np.trace(matrix)
    expected = (total**2 - (each**2).sum()) / (total - 1)
    return float(1 - observed / expected)


def test_it_equals_the_definition_and_the_published_example() -> None:
    """Krippendorff 2011, section C: four observers, twelve units, gaps."""
    texts = [
        (1, 1, 1), (2, 2, 3, 2), (3, 3, 3, 3), (3, 3, 3, 3), (2, 2, 2, 2), (1, 2, 3, 4),
        (4, 4, 4, 4), (1, 1, 2, 1), (2, 2, 2, 2), (5, 5, 5), (1, 1), (3,),
    ]  # fmt: skip
    doubled = texts * 2
    found = alpha(doubled)
    assert found is not None
    shared = [tuple(map(str, labels)) for labels in doubled if len(labels) > 1]
    assert found.value == pytest.approx(by_definition(shared), abs=1e-12)
    single = [tuple(map(str, labels)) for labels in texts if len(labels) > 1]
    assert by_definition(single) == pytest.approx(0.743, abs=5e-4)  # as published


def test_texts_with_one_label_do_not_count() -> None:
    texts = [("a", "a"), ("b", "b"), ("a", "b")] * 10
    assert alpha(texts) == alpha([*texts, *[("a",)] * 50])


def test_the_interval_holds_the_value_and_chance_is_zero() -> None:
    draw = np.random.default_rng(5)
    texts = [tuple(draw.choice(["a", "b"], size=2)) for _ in range(500)]
    found = alpha(texts)
    assert found is not None
    assert found.low <= found.value <= found.high
    assert found.low < 0 < found.high
    assert found.width < 0.25
    assert alpha(texts) == found


@pytest.mark.parametrize("texts", [[("a", "b")] * (LEAST_TEXTS - 1), [("a", "a")] * 100, []])
def test_too_few_texts_and_a_single_label_have_none(texts: list[tuple[str, str]]) -> None:
    assert alpha(texts) is None


def test_contradiction_is_negative() -> None:
    found = alpha([("a", "b")] * 40)
    assert found is not None
    assert found.value < -0.9
