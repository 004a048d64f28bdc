"""The rows that a student is evaluated on: the bundle's own, or a table."""

from __future__ import annotations

from dataclasses import dataclass

from bertline.bundle import Bundle
from bertline.bundle.reference import ReferenceRows, read_reference
from bertline.data.examples import read_examples
from bertline.data.labels import Labels
from bertline.data.shared_names import check_shared_names
from bertline.data.split import stratified_split
from bertline.data.targets import names_of, renamed, strata
from bertline.errors import DataError, UsageError
from bertline.tasks.classify.truth import counted
from bertline.text.reading import Input
from bertline.training.distillation.settings import DistillSettings

FEWEST = 2  # rows: one chooses the epoch, one is evaluated


@dataclass(frozen=True)
class HeldOut:
    """``validation`` chooses the epoch and the temperature, ``test`` gives the figures; ``source`` names them.

    ``left_out`` counts the rows with a label or type that the teacher does not know. Neither it nor its student can
    get them right, so they say nothing about the difference between the two.
    """

    validation: ReferenceRows
    test: ReferenceRows
    source: str
    left_out: str = ""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs of both."""
        return self.validation.inputs + self.test.inputs


def read_held_out(bundle: Bundle, settings: DistillSettings) -> HeldOut:
    """The bundle's reference rows, or the rows of ``settings.eval_data``, one half of them for validation.

    Raises:
        UsageError: the bundle carries none and no table is given.
        DataError: the table cannot be used, or has no label that the bundle knows.
        BundleError: the bundle's rows cannot be read.
    """
    if settings.eval_data is not None:
        return _halves(bundle, settings)
    names = bundle.manifest.task.names
    validation, test = (read_reference(bundle.path, split, names) for split in ("validation", "test"))
    if not len(validation) or not len(test):
        raise UsageError(
            f"{bundle.path} carries no held-out rows to measure a student on: pass --eval-data with a labelled table "
            "that it was not trained on"
        )
    return HeldOut(validation, test, f"the test rows of {bundle.manifest.name}")


def _halves(bundle: Bundle, settings: DistillSettings) -> HeldOut:
    source, spec = str(settings.eval_data), bundle.manifest.task
    table, known = settings.beside(source), Labels(spec.names)
    dataset = read_examples(source, table, kind=spec.kind, pairs=spec.pairs, trainable=False)
    check_shared_names(dataset, spec.names, f"that {bundle.path} knows")
    examples = [one for one in dataset.examples if all(name in known for name in names_of(one.target))]
    if len(examples) < FEWEST:
        raise DataError(
            f"{dataset.source} has {len(examples)} row(s) to evaluate a student of {bundle.path} on: give at least "
            f"{FEWEST}, half of them for validation"
        )
    unknown = counted([name for one in dataset.examples for name in names_of(one.target) if name not in known])
    split = stratified_split(
        strata([one.target for one in examples]),
        groups=[one.text for one in examples] if spec.reads == "query" else None,
        validation_ratio=0.5,
        test_ratio=0.0,
        seed=settings.seed,
    )

    def rows(indices: tuple[int, ...]) -> ReferenceRows:
        some = [examples[i] for i in indices]
        targets = (renamed(one.target, lambda name: spec.names[known.index(name)]) for one in some)
        return ReferenceRows(tuple(one.input for one in some), tuple(targets))

    return HeldOut(rows(split.validation), rows(split.train), f"half of {dataset.source}", unknown)
