"""Splits: each row in one part, shares kept, labels in training, groups together, and the same seed the same split."""

from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from bertline.data.split import Split, stratified_split
from bertline.errors import DataError, SettingsError

LABELS = st.lists(st.sampled_from("aaaabbc"), min_size=10, max_size=120)
RATIOS = st.sampled_from([(0.1, 0.1), (0.2, 0.0), (0.0, 0.3), (0.15, 0.25), (0.0, 0.0)])


def parts(split: Split) -> list[tuple[int, ...]]:
    return [split.train, split.validation, split.test]


def check_partition(split: Split, rows: int) -> None:
    assert sorted(sum(parts(split), ())) == list(range(rows))
    assert all(one < other for part in parts(split) for one, other in pairwise(part))


@given(labels=LABELS, ratios=RATIOS, seed=st.integers(0, 9))
def test_without_groups(labels: list[str], ratios: tuple[float, float], seed: int) -> None:
    split = stratified_split(labels, validation_ratio=ratios[0], test_ratio=ratios[1], seed=seed)
    check_partition(split, len(labels))
    counts = Counter(labels)
    assert {labels[i] for i in split.train} == set(labels)
    for part, ratio in zip(parts(split)[1:], ratios, strict=True):
        assert len(part) <= ratio * len(labels) + 0.5 + 1e-9
        for label, count in Counter(labels[i] for i in part).items():
            assert count <= np.ceil(ratio * counts[label])
        assert part or not ratio
    assert split == stratified_split(labels, validation_ratio=ratios[0], test_ratio=ratios[1], seed=seed)


@given(counts=st.lists(st.integers(20, 60), min_size=1, max_size=6), ratios=RATIOS, seed=st.integers(0, 9))
def test_shares_are_kept_to_within_a_row(counts: list[int], ratios: tuple[float, float], seed: int) -> None:
    labels = [str(i) for i, count in enumerate(counts) for _ in range(count)]
    split = stratified_split(labels, validation_ratio=ratios[0], test_ratio=ratios[1], seed=seed)
    for part, ratio in zip(parts(split)[1:], ratios, strict=True):
        assert abs(len(part) - ratio * len(labels)) <= 0.5 + 1e-9
        held = Counter(labels[i] for i in part)
        assert all(abs(held[str(i)] - ratio * count) <= 1 + 1e-9 for i, count in enumerate(counts))


def test_many_small_labels_still_make_parts_of_their_size() -> None:
    labels = [str(i) for i in range(100) for _ in range(4)]  # a tenth of 4 rows rounds to none
    split = stratified_split(labels, validation_ratio=0.1, test_ratio=0.1, seed=0)
    assert [len(part) for part in parts(split)] == [320, 40, 40]


@settings(max_examples=60)
@given(
    labels=LABELS,
    ratios=RATIOS,
    seed=st.integers(0, 9),
    groups=st.lists(st.sampled_from([None, "", *"ghijklmnopqrst"]), min_size=120, max_size=120),
)
def test_with_groups(labels: list[str], ratios: tuple[float, float], seed: int, groups: list[str | None]) -> None:
    groups = groups[: len(labels)]
    try:
        split = stratified_split(labels, groups=groups, validation_ratio=ratios[0], test_ratio=ratios[1], seed=seed)
    except DataError:  # too few groups; drawn too often, hypothesis objects
        reject()
    check_partition(split, len(labels))
    assert {labels[i] for i in split.train} == set(labels)
    of_part = [{groups[i] for i in part if groups[i]} for part in parts(split)]
    assert all(not one & other for one, other in [of_part[:2], of_part[1:], of_part[::2]])
    assert all(bool(part) == bool(ratio) for part, ratio in zip(parts(split)[1:], ratios, strict=True))
    assert split == stratified_split(labels, groups=groups, validation_ratio=ratios[0], test_ratio=ratios[1], seed=seed)


def test_groups_keep_shares_of_sizes_and_labels_about_right() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.geometric(0.2, size=300)
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    leaning = rng.beta(1, 2, size=300)
    labels = ["pos" if rng.random() < leaning[i] else "neg" for i, size in enumerate(sizes) for _ in range(size)]
    split = stratified_split(labels, groups=groups, validation_ratio=0.1, test_ratio=0.2, seed=0)
    overall = Counter(labels)["pos"] / len(labels)
    for part, ratio in zip(parts(split), (0.7, 0.1, 0.2), strict=True):
        assert len(part) / len(labels) == pytest.approx(ratio, abs=0.01)
        assert Counter(labels[i] for i in part)["pos"] / len(part) == pytest.approx(overall, abs=0.02)
    mean_sizes = [len(part) / len({groups[i] for i in part}) for part in parts(split)]
    assert max(mean_sizes) / min(mean_sizes) < 1.5  # large groups are not all in training


def test_a_group_of_half_of_the_rows_trains() -> None:
    labels = ["a", "b"] * 50
    groups = ["big" if i < 50 else f"g{i}" for i in range(100)]
    for seed in range(5):
        split = stratified_split(labels, groups=groups, validation_ratio=0.1, test_ratio=0.1, seed=seed)
        assert set(range(50)) <= set(split.train)


def test_another_seed_is_another_split() -> None:
    labels = ["a", "b"] * 50
    for groups in (None, [f"g{i // 2}" for i in range(100)]):
        splits = {
            stratified_split(labels, groups=groups, validation_ratio=0.2, test_ratio=0.2, seed=seed).test
            for seed in range(5)
        }
        assert len(splits) == 5


def test_a_label_of_two_rows_keeps_one_for_training() -> None:
    labels = ["a"] * 2 + ["b"] * 20
    for seed in range(20):
        split = stratified_split(labels, validation_ratio=0.3, test_ratio=0.3, seed=seed)
        assert {0, 1} & set(split.train)


def test_the_remainder_of_single_rows_is_spread_over_labels() -> None:
    labels = [f"single {i}" for i in range(60)] + ["a"] * 20
    for seed in range(5):
        split = stratified_split(labels, validation_ratio=0.2, test_ratio=0.1, seed=seed)
        assert [len(part) for part in parts(split)] == [74, 4, 2]


def test_a_label_of_one_group_trains_even_where_training_is_the_smallest_part() -> None:
    labels = ["rare"] * 4 + ["a", "b"] * 48
    groups = [f"g{i // 4}" for i in range(100)]
    for seed in range(5):
        split = stratified_split(labels, groups=groups, validation_ratio=0.45, test_ratio=0.45, seed=seed)
        assert set(range(4)) <= set(split.train)


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (-0.1, 0.2), (0.2, -0.1), (1.0, 0.0)])
def test_shares_that_leave_nothing_for_training(validation: float, test: float) -> None:
    with pytest.raises(SettingsError, match=r"validation_ratio .* and test_ratio .* leave no training part: give two"):
        stratified_split(["a", "b"], validation_ratio=validation, test_ratio=test, seed=0)


def test_too_few_rows_or_groups() -> None:
    with pytest.raises(DataError) as error:
        stratified_split(["a", "a", "b", "b"], validation_ratio=0.1, test_ratio=0.0, seed=0)
    told = "there are too few rows for a validation share of 0.1 (rows: 4): give more, or other shares"
    assert str(error.value) == told
    with pytest.raises(DataError) as error:
        stratified_split(["a", "b"] * 9, groups=["g", "g", "h"] * 6, validation_ratio=0.2, test_ratio=0.2, seed=0)
    assert " (rows: 18, groups: 2): give more" in str(error.value)
    with pytest.raises(DataError, match=r"too few rows for a train share of 0\.8 \(rows: 0\)"):
        stratified_split([], validation_ratio=0.1, test_ratio=0.1, seed=0)


def test_rows_with_several_labels_have_each_label_in_about_its_share() -> None:
    rng = np.random.default_rng(0)
    rates = {"common": 0.5, "rare": 0.03, "other": 0.2}
    rows = [tuple(name for name, rate in rates.items() if rng.random() < rate) for _ in range(1_000)]
    split = stratified_split(rows, validation_ratio=0.1, test_ratio=0.2, seed=1)
    parts = (split.train, split.validation, split.test)
    assert sorted(chain(*parts)) == list(range(1_000))
    for name in rates:
        total = sum(name in one for one in rows)
        shares = [sum(name in rows[i] for i in part) / total for part in parts]
        assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    assert [len(part) for part in parts] == pytest.approx([700, 100, 200], abs=8)
    assert split == stratified_split(rows, validation_ratio=0.1, test_ratio=0.2, seed=1)


def test_a_label_that_one_row_has_is_trained_on() -> None:
    rows = [("a",), ("a", "b"), *[("a",)] * 20, ("a", "c")]
    for seed in range(10):
        split = stratified_split(rows, validation_ratio=0.3, test_ratio=0.3, seed=seed)
        assert {name for i in split.train for name in rows[i]} == {"a", "b", "c"}


def test_groups_of_rows_with_several_labels_stay_together() -> None:
    rows = [("a", "b") if i % 3 else ("a",) for i in range(90)]
    groups = [str(i // 3) for i in range(90)]
    split = stratified_split(rows, groups=groups, validation_ratio=0.2, test_ratio=0.2, seed=0)
    assert not {groups[i] for i in split.train} & {groups[i] for i in (*split.validation, *split.test)}
    assert len(split.test) == pytest.approx(18, abs=3)
