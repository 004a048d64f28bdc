"""The rows that a student is measured on: those that travel with the bundle, or a table given in their place."""

from __future__ import annotations

from dataclasses import dataclass

from bertline.bundle import Bundle
from bertline.bundle.reference import ReferenceRows, read_reference
from bertline.data.examples import Example, read_examples
from bertline.data.labels import Labels
from bertline.data.split import stratified_split
from bertline.data.target_kinds import OneLabel
from bertline.errors import DataError, UsageError
from bertline.tasks.classify.truth import counted
from bertline.text.reading import texts_of
from bertline.training.distillation.settings import DistillSettings


@dataclass(frozen=True)
class HeldOut:
    """``validation`` chooses the epoch and the temperature, ``test`` gives the figures; ``source`` names them.

    ``left_out`` says how many rows have a label that the teacher does not know. Neither it nor its student could have
    them right, so they say nothing about what the student kept.
    """

    validation: ReferenceRows
    test: ReferenceRows
    source: str
    left_out: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of both."""
        return tuple(text for one in self.validation.inputs + self.test.inputs for text in texts_of(one))


def read_held_out(bundle: Bundle, settings: DistillSettings) -> HeldOut:
    """The bundle's reference rows, or the rows of ``settings.eval_data``, one half of them for validation.

    Raises:
        UsageError: the bundle carries none and no table is given.
        DataError: the table cannot be used, or has no label that the bundle knows.
        BundleError: the bundle's rows cannot be read.
    """
    if settings.eval_data is not None:
        return _halves(bundle, settings)
    labels = bundle.manifest.labels
    validation, test = (read_reference(bundle.path, split, labels) for split in ("validation", "test"))
    if not len(validation) or not len(test):
        raise UsageError(
            f"{bundle.path} carries no held-out rows to measure a student on: pass --eval-data with a labelled table "
            "that it was not trained on"
        )
    return HeldOut(validation, test, f"the test rows of {bundle.manifest.name}")


def _halves(bundle: Bundle, settings: DistillSettings) -> HeldOut:
    source = str(settings.eval_data)
    dataset = read_examples(source, settings.beside(source), kind=OneLabel(), trainable=False)
    place = Labels(tuple(bundle.manifest.labels)).places
    examples = [one for one in dataset.examples if str(one.target) in place]
    if not examples:
        raise DataError(
            f"{dataset.source} has no label that {bundle.path} knows: its labels are "
            f"{', '.join(bundle.manifest.labels)}; correct the labels, or name another --label-column"
        )
    unknown = counted([str(one.target) for one in dataset.examples if str(one.target) not in place])
    split = stratified_split(
        [str(one.target) for one in examples], validation_ratio=0.5, test_ratio=0.0, seed=settings.seed
    )

    def rows(indices: tuple[int, ...]) -> ReferenceRows:
        some: list[Example] = [examples[i] for i in indices]
        names = bundle.manifest.labels
        targets = tuple(names[place[str(one.target)]] for one in some)
        return ReferenceRows(tuple(one.text for one in some), targets)

    return HeldOut(rows(split.validation), rows(split.train), f"half of {dataset.source}", unknown)
