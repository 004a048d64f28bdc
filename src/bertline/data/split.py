"""Which rows train, validate and test: seeded, each label in its share, groups kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertline.errors import DataError, SettingsError

TRAIN, VALIDATION, TEST = range(3)
PARTS = ("train", "validation", "test")

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the rows of each part, in the order of the table; each row is in one part."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def stratified_split(
    labels: Sequence[str],
    *,
    groups: Sequence[str | None] | None = None,
    validation_ratio: float,
    test_ratio: float,
    seed: int,
) -> Split:
    """Split rows at random so that each part has each label in about its share of the whole.

    Without groups the parts have their sizes to within one row, and each label in each part its share to
    within one row where the label leaves one for training. With groups this is approximate. Every label is in
    the training part.

    Args:
        labels: label of each row.
        groups: rows with the same group go to the same part; a row without one (None or "") is a group of its
            own.
        validation_ratio: share of the rows, 0 for no such part.
        test_ratio: likewise.
        seed: the same seed, labels and groups give the same split.

    Raises:
        SettingsError: shares that leave nothing for training.
        DataError: too few rows or groups for one in each part.
    """
    if min(validation_ratio, test_ratio) < 0 or validation_ratio + test_ratio >= 1:
        raise SettingsError(
            f"validation_ratio {validation_ratio:g} and test_ratio {test_ratio:g} leave no training part: "
            "give two shares of 0 or more that add up to less than 1"
        )
    shares = np.array([1.0 - validation_ratio - test_ratio, validation_ratio, test_ratio])
    codes = _codes(labels)
    rng = np.random.default_rng(seed)
    parts = _by_label(codes, shares, rng) if groups is None else _by_group(codes, groups, shares, rng)
    for part, share in enumerate(shares):
        if share and not (parts == part).any():
            of = "" if groups is None else f" in {len(set(_group_codes(groups).tolist())):,} groups"
            raise DataError(
                f"{len(labels):,} rows{of} are too few for a {PARTS[part]} part of {share:.0%}: "
                "give more, or other shares"
            )
    train, validation, test = (tuple(np.flatnonzero(parts == part).tolist()) for part in range(3))
    return Split(train, validation, test)


def _codes(names: Sequence[str]) -> Indices:
    place = {name: i for i, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names], dtype=np.int64)


def _group_codes(groups: Sequence[str | None]) -> Indices:
    place: dict[object, int] = {}
    return np.array([place.setdefault(one or i, len(place)) for i, one in enumerate(groups)], dtype=np.int64)


def _members(codes: Indices) -> list[Indices]:
    """Rows of each code."""
    counts = np.bincount(codes)
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])


def _by_label(codes: Indices, shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int8]:
    """Label by label; what rounding withholds from a part is owed to it at the next label."""
    parts = np.full(len(codes), TRAIN, dtype=np.int8)
    members = _members(codes) if len(codes) else []
    owed = np.zeros(2)
    for label in rng.permutation(len(members)):
        rows = rng.permutation(members[label])
        due = shares[1:] * len(rows)
        owed += due
        validation, test = np.clip(np.floor(owed + 0.5), 0, np.ceil(due)).astype(int).tolist()
        validation = min(validation, len(rows) - 1)  # one row of each label stays for training
        test = min(test, len(rows) - 1 - validation)
        owed -= (validation, test)
        parts[rows[:validation]] = VALIDATION
        parts[rows[validation : validation + test]] = TEST
    return parts


def _by_group(
    codes: Indices, groups: Sequence[str | None], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int8]:
    """Largest group first, each to the part that it leaves least full of its labels.

    How full a part is counts half of the group itself: the quotient of Sainte-Laguë (1910), by which parties
    of all sizes get their share of seats without favour, so large groups do not all go to the largest part.
    """
    members = _members(_group_codes(groups)) if len(groups) else []
    totals = np.bincount(codes).astype(np.float64)
    wanted = np.maximum(shares[:, None] * totals, 1e-9)  # a part of share 0 is always overfull
    held = np.zeros((3, len(totals)))
    part_of = np.zeros(len(members), dtype=np.int8)
    order = rng.permutation(len(members))
    for group in sorted(order.tolist(), key=lambda one: -len(members[one])):
        counts = np.bincount(codes[members[group]], minlength=len(totals))
        fullness = ((held + counts / 2) / wanted) @ (counts / totals)
        part = int(fullness.argmin())
        part_of[group] = part
        held[part] += counts
    parts = np.zeros(len(codes), dtype=np.int8)
    for group, rows in enumerate(members):
        parts[rows] = part_of[group]
    return _with_all_labels_in_train(parts, codes, members)


def _with_all_labels_in_train(parts: NDArray[np.int8], codes: Indices, members: list[Indices]) -> NDArray[np.int8]:
    """Moves to training the smallest group of each label that it lacks."""
    for label in np.setdiff1d(codes, codes[parts == TRAIN]):
        if not (codes[parts == TRAIN] == label).any():
            smallest = min((rows for rows in members if (codes[rows] == label).any()), key=len)
            parts[smallest] = TRAIN
    return parts
