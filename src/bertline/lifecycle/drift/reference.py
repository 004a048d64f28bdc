"""The rows that a bundle was measured on, as the other side of every comparison."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertline.bundle.reference import ReferenceRows, read_reference
from bertline.errors import BundleError
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.drift.window import LEAST_ROWS
from bertline.tasks.contract import TaskSpec


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference rows: those of the test split first.

    Attributes:
        rows: texts and what is true of them.
        tested: number of test rows, which nothing about the model was chosen by.
    """

    rows: ReferenceRows
    tested: int

    def labels(self, spec: TaskSpec) -> list[str | None]:
        """The true label of each row; none at all where texts have no single label."""
        labels = [one if isinstance(one, str) else None for one in self.rows.targets]
        return labels if spec.ranked and any(labels) else []

    @classmethod
    def of(cls, bundle: Path, names: Sequence[str], settings: DriftSettings) -> Reference:
        """At most ``settings.rows`` rows, chosen at random.

        Raises:
            BundleError: the bundle carries too few, or they cannot be read.
        """
        test, validation = (_some(read_reference(bundle, split, names), settings) for split in ("test", "validation"))
        if len(test) + len(validation) < LEAST_ROWS:
            raise BundleError(
                f"{bundle} carries {len(test) + len(validation)} reference rows, and at least {LEAST_ROWS} are needed "
                f"to compare with: train it again with --reference-rows of at least {LEAST_ROWS}"
            )
        room = max(0, settings.rows - len(test))
        rows = ReferenceRows(test.inputs + validation.inputs[:room], test.targets + validation.targets[:room])
        return cls(rows, len(test))


def chosen(rows: int, settings: DriftSettings) -> Sequence[int]:
    """The indices of at most ``settings.rows`` rows, in their order."""
    if rows <= settings.rows:
        return range(rows)
    return sorted(random.Random(settings.seed).sample(range(rows), settings.rows))


def _some(rows: ReferenceRows, settings: DriftSettings) -> ReferenceRows:
    kept = chosen(len(rows), settings)
    return ReferenceRows(tuple(rows.inputs[i] for i in kept), tuple(rows.targets[i] for i in kept))
