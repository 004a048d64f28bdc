"""Which rows train, validate and test: seeded, each label in its share, groups kept together.

Rows with several labels are split by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
    labels: Sequence[str | tuple[str, ...]],
    *,
    groups: Sequence[str | None] | None = None,
    validation_ratio: float,
    test_ratio: float,
    seed: int,
) -> Split:
    """Split rows at random so that each part has each label in about its share of the whole.

    Without groups the parts have their sizes to within one row, and each label in each part its share to
    within one row where the label leaves one for training. With groups, or where a row has several labels, this is
    approximate. Every label is in the training part.

    Args:
        labels: the label of each row, or its labels.
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
    codes = _Codes.of(labels)
    rng = np.random.default_rng(seed)
    if groups is not None:
        parts = _by_group(codes, groups, shares, rng)
    else:
        parts = _by_label(codes.codes, shares, rng) if codes.single else _by_labels(codes, shares, rng)
    for part, share in enumerate(shares):
        if share and not (parts == part).any():
            of = "" if groups is None else f", groups: {len(set(_group_codes(groups).tolist())):,}"
            raise DataError(
                f"there are too few rows for a {PARTS[part]} share of {share:g} (rows: {len(labels):,}{of}): "
                "give more, or other shares"
            )
    train, validation, test = (tuple(np.flatnonzero(parts == part).tolist()) for part in range(3))
    return Split(train, validation, test)


def connected(keys: Sequence[Sequence[Hashable]]) -> list[str]:
    """The group of each row: rows that share a key, directly or through other rows, are in one.

    >>> connected([["a", "b"], ["c"], ["b", "d"], ["d"]])
    ['0', '1', '0', '0']
    """
    parent = list(range(len(keys)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    first: dict[Hashable, int] = {}
    for row, own in enumerate(keys):
        for one in own:
            low, high = sorted((root(first.setdefault(one, row)), root(row)))
            parent[high] = low
    return [str(root(row)) for row in range(len(keys))]


@dataclass(frozen=True, slots=True)
class _Codes:
    """The labels of rows as numbers: those of row ``i`` are ``codes[starts[i] : starts[i + 1]]``.

    A row without a label has a number of its own kind, so that such rows are spread as well.
    """

    codes: Indices
    starts: Indices

    @classmethod
    def of(cls, labels: Sequence[str | tuple[str, ...]]) -> _Codes:
        sets = [(one,) if isinstance(one, str) else tuple(dict.fromkeys(one)) or ("",) for one in labels]
        place = {name: i for i, name in enumerate(sorted({name for one in sets for name in one}))}
        codes = np.array([place[name] for one in sets for name in one], dtype=np.int64)
        return cls(codes, np.cumsum([0, *map(len, sets)]))

    @property
    def rows(self) -> int:
        return len(self.starts) - 1

    @property
    def single(self) -> bool:
        """Whether every row has one label."""
        return len(self.codes) == self.rows

    def __getitem__(self, row: int) -> Indices:
        return self.codes[self.starts[row] : self.starts[row + 1]]

    def some(self, rows: Indices) -> Indices:
        """The labels of some rows, one row after the other."""
        return self.codes[rows] if self.single else np.concatenate([self[int(row)] for row in rows])

    def within(self, chosen: NDArray[np.bool_]) -> Indices:
        """The labels of the rows that are chosen, [row]."""
        return self.codes[np.repeat(chosen, np.diff(self.starts))]


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


def _by_labels(codes: _Codes, shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int8]:
    """The rows of the rarest label first, each to the part that lacks most of this label, then most rows."""
    parts = np.full(codes.rows, TRAIN, dtype=np.int8)
    row_of = np.repeat(np.arange(codes.rows), np.diff(codes.starts))
    members = [row_of[some] for some in _members(codes.codes)]
    lacking = shares[:, None] * np.bincount(codes.codes)
    rows_lacking = shares * codes.rows
    left, placed = np.bincount(codes.codes), np.zeros(codes.rows, dtype=bool)
    while left.any():
        label = int(np.where(left > 0, left, codes.rows + 1).argmin())
        for row in rng.permutation(members[label][~placed[members[label]]]).tolist():
            part = max(np.flatnonzero(shares), key=lambda one: (lacking[one, label], rows_lacking[one]))
            parts[row], placed[row] = part, True
            lacking[part, codes[row]] -= 1
            rows_lacking[part] -= 1
            left[codes[row]] -= 1
    return _with_all_labels_in_train(parts, codes, [*np.arange(codes.rows)[:, None]])


def _by_group(
    codes: _Codes, groups: Sequence[str | None], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int8]:
    """Largest group first, each to the part that it leaves least full of its labels.

    How full a part is counts half of the group itself: the quotient of Sainte-Laguë (1910), by which parties
    of all sizes get their share of seats without favour, so large groups do not all go to the largest part.
    """
    members = _members(_group_codes(groups)) if len(groups) else []
    totals = np.bincount(codes.codes).astype(np.float64)
    wanted = np.maximum(shares[:, None] * totals, 1e-9)  # a part of share 0 is always overfull
    held = np.zeros((3, len(totals)))
    part_of = np.zeros(len(members), dtype=np.int8)
    order = rng.permutation(len(members))
    for group in sorted(order.tolist(), key=lambda one: -len(members[one])):
        counts = np.bincount(codes.some(members[group]), minlength=len(totals))
        fullness = ((held + counts / 2) / wanted) @ (counts / totals)
        part = int(fullness.argmin())
        part_of[group] = part
        held[part] += counts
    parts = np.zeros(codes.rows, dtype=np.int8)
    for group, rows in enumerate(members):
        parts[rows] = part_of[group]
    return _with_all_labels_in_train(parts, codes, members)


def _with_all_labels_in_train(parts: NDArray[np.int8], codes: _Codes, members: list[Indices]) -> NDArray[np.int8]:
    """Moves to training the smallest group of each label that it lacks."""
    for label in np.setdiff1d(codes.codes, codes.within(parts == TRAIN)):
        if label not in codes.within(parts == TRAIN):
            smallest = min((rows for rows in members if label in codes.some(rows)), key=len)
            parts[smallest] = TRAIN
    return parts
