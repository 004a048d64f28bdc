"""What a comparison found, as values with their JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bertline.errors import BertlineError
from bertline.statistics.intervals import Estimate
from bertline.statistics.sequential import AccuracyDrop
from bertline.statistics.unlabelled import UnlabelledAccuracy

Kind = Literal["none", "labels", "texts"]


class DriftFound(BertlineError):
    """Texts differ from those that a model was measured on."""


@dataclass(frozen=True, slots=True)
class Change:
    """One number of answers or texts, before and after.

    Attributes:
        name: of the number.
        before: its mean in the reference.
        after: its mean in the new texts.
        distance: the largest distance of the two distribution functions (Kolmogorov & Smirnov), 0 to 1.
        p: allows for the other numbers of the same test.
        quantiles: of the reference and of the new texts, at equal steps from the least to the largest.
    """

    name: str
    before: float
    after: float
    distance: float
    p: float
    quantiles: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())


@dataclass(frozen=True, slots=True)
class Test:
    """One of the family's tests.

    Attributes:
        name: answers, embeddings, classifier or properties.
        p: the test's own p-value.
        adjusted: p-value that allows for the other tests (Holm 1979).
        size: of the classifier: the chance that it scores a new text above a reference text (AUC).
        changes: the numbers that were tested together, the surest change first.
    """

    name: str
    p: float
    adjusted: float = 1.0
    size: float | None = None
    changes: tuple[Change, ...] = ()

    def adjust(self, p: float) -> Test:
        """With the adjusted p-value."""
        return replace(self, adjusted=p)


@dataclass(frozen=True, slots=True)
class PriorShift:
    """The shares of the labels.

    Attributes:
        labels: their names; those with few reference rows count together, as "others".
        before: share of each in the reference.
        after: estimated share of each in the new texts, with 95 % intervals.
        within_p: p-value of no change among the texts of a label.
    """

    labels: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[Estimate, ...]
    within_p: float

    def explains(self, level: float) -> bool:
        """Whether a share changed, and nothing among the texts of a label, as far as it can be told."""
        each = zip(self.before, self.after, strict=True)
        return self.within_p > level and any(not one.low <= before <= one.high for before, one in each)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A new text that stands out: its line or row, itself, and its score."""

    place: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The comparison of a new window with a reference.

    Attributes:
        reference_rows: number of reference texts.
        new_rows: number of new texts.
        level: chance of a false alarm of all tests together.
        tests: of the family.
        prior: shares of the labels; None where they cannot be estimated.
        accuracy: estimated without labels; None where it cannot be.
        foreign: the most foreign new texts, the most foreign first.
        labelled: accuracy in the order of the new texts; None without labels.
    """

    reference_rows: int
    new_rows: int
    level: float
    tests: tuple[Test, ...]
    prior: PriorShift | None
    accuracy: UnlabelledAccuracy | None
    foreign: tuple[Foreign, ...]
    labelled: AccuracyDrop | None = None

    @property
    def found(self) -> tuple[Test, ...]:
        """The tests that found a change, the surest first."""
        return tuple(sorted((one for one in self.tests if one.adjusted <= self.level), key=lambda one: one.adjusted))

    @property
    def kind(self) -> Kind:
        """Whether nothing changed that could be found, only the shares of the labels, or the texts themselves."""
        if not self.found:
            return "none"
        return "labels" if self.prior is not None and self.prior.explains(self.level) else "texts"

    @property
    def dropped(self) -> bool:
        """Whether labels show a drop of accuracy."""
        return self.labelled is not None and self.labelled.alarm is not None

    def to_json(self, *, texts: bool = True) -> dict[str, Any]:
        """Plain values; ``texts`` False leaves the foreign texts out."""
        return {
            "drift": self.kind,
            "level": self.level,
            "reference_rows": self.reference_rows,
            "new_rows": self.new_rows,
            "tests": [asdict(one) for one in self.tests],
            "labels": None if self.prior is None else _labels(self.prior),
            "within_labels_p": None if self.prior is None else self.prior.within_p,
            "accuracy": None if self.accuracy is None else self.accuracy.to_json(),
            "labelled": None if self.labelled is None else asdict(self.labelled),
            "foreign": [asdict(one) for one in self.foreign] if texts else None,
        }


def _labels(prior: PriorShift) -> list[dict[str, Any]]:
    each = zip(prior.labels, prior.before, prior.after, strict=True)
    return [{"label": name, "before": before, "after": after.to_json()} for name, before, after in each]
