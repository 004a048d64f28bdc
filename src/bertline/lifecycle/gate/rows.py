"""Labelled rows that a gate judges by, and what each model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle import Manifest
from bertline.bundle.verify import read_manifest
from bertline.data.examples import Dataset, read_examples
from bertline.data.fingerprint import fingerprint
from bertline.data.shared_names import check_shared_names
from bertline.errors import UsageError
from bertline.inference import TextClassifier, load_predictor
from bertline.lifecycle.gate.settings import GateSettings
from bertline.tasks import task
from bertline.tasks.contract import Comparison, Evaluation
from bertline.text import Input, Reading

Arrays = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A bundle and its predictor."""

    path: Path
    manifest: Manifest
    predictor: TextClassifier

    @property
    def title(self) -> str:
        """Name and first digits of the digest: the path of a fetched bundle tells people nothing."""
        return f"{self.manifest.name} ({self.manifest.checksum[:12]})"

    @classmethod
    def of(cls, path: Path) -> Contestant:
        """Load the bundle with the engine that would answer.

        Raises:
            BundleError: it cannot be loaded.
        """
        return cls(path, read_manifest(path), load_predictor(path))


@dataclass(frozen=True, slots=True)
class Judged:
    """One table of rows as both models answer it.

    Attributes:
        name: of the table.
        dataset: its rows.
        spec: of the challenger.
        readings: of the challenger.
        arrays: outputs of the challenger.
        champion: spec and outputs of the champion; None without one.
    """

    name: str
    dataset: Dataset
    spec: Any
    readings: Sequence[Reading]
    arrays: Arrays
    champion: tuple[Any, Arrays] | None

    @property
    def inputs(self) -> list[Input]:
        """The texts."""
        return [one.input for one in self.dataset.examples]

    @property
    def sha256(self) -> str:
        """Fingerprint of the rows."""
        return fingerprint(self.dataset).sha256

    def evaluation(self, *, champion: bool = False) -> Evaluation:
        """The figures of one of the two models."""
        spec, arrays = (self.spec, self.arrays) if not champion or self.champion is None else self.champion
        measured: Evaluation = task(spec.task).measure.measure(spec, self.dataset.targets, arrays, self.readings)
        return measured

    def comparison(self, chosen: np.ndarray[Any, Any] | None = None) -> Comparison:
        """The challenger against the champion, on all rows or on some."""
        places = range(len(self.readings)) if chosen is None else np.flatnonzero(chosen).tolist()
        assert self.champion is not None, "there is a champion"
        arrays, others = ([own[i] for i in places] for own in (self.arrays, self.champion[1]))
        truth = [self.dataset.targets[i] for i in places]
        readings = [self.readings[i] for i in places]
        compared: Comparison = task(self.spec.task).measure.compare(self.spec, truth, arrays, others, readings)
        return compared

    def slices(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Rows by the value of each slice column, by label and by third of length; each a mask."""
        examples = self.dataset.examples
        masks: dict[str, np.ndarray[Any, Any]] = {}
        for column in dict.fromkeys(name for one in examples for name in one.fields):
            values = np.array([one.fields.get(column, "") for one in examples])
            masks |= {f"{column} = {value}": values == value for value in dict.fromkeys(values.tolist())}
        targets = self.dataset.targets
        if all(isinstance(one, str) for one in targets):
            labels = np.array([str(one) for one in targets])
            masks |= {f"label {name}": labels == name for name in dict.fromkeys(labels.tolist())}
        lengths = np.array([one.read + one.cut for one in self.readings])
        first, second = np.quantile(lengths, [1 / 3, 2 / 3])
        masks |= {
            f"up to {first:.0f} tokens": lengths <= first,
            f"over {second:.0f} tokens": lengths > second,
        }
        return masks


def judge(
    data: str, settings: GateSettings, challenger: Contestant, champion: Contestant | None, name: str | None = None
) -> Judged:
    """Read one table and answer it with both models.

    Args:
        data: the table's path.
        settings: how it is read.
        challenger: answers.
        champion: answers too, if there is one.
        name: of the table for people; None is its path.

    Raises:
        DataError: the table cannot be used, or has no label that the challenger knows.
        UsageError: the two models do not answer alike.
    """
    spec = challenger.predictor.spec
    if champion is not None:
        other = champion.predictor.spec
        if (other.task, other.names, other.reads) != (spec.task, spec.names, spec.reads):
            raise UsageError(
                f"{challenger.title} and {champion.title} do not give the same kind of answers "
                f"({_kind(spec)}; {_kind(other)}): compare models of one task with the same labels"
            )
    dataset = read_examples(
        data, settings, kind=spec.kind, pairs=spec.pairs, slice_columns=settings.slice_columns, trainable=False
    )
    check_shared_names(dataset, spec.names, f"that {challenger.title} knows")
    inputs = [one.input for one in dataset.examples]
    readings, arrays = challenger.predictor.pieces(inputs, spec.output)
    other_answers = None
    if champion is not None:
        other_answers = champion.predictor.spec, champion.predictor.pieces(inputs, spec.output)[1]
    return Judged(name or dataset.source, dataset, spec, readings, arrays, other_answers)


def _kind(spec: Any) -> str:
    names = ", ".join(spec.names[:4]) + (", …" if len(spec.names) > 4 else "")
    return f"{spec.task}: {names}" if names else str(spec.task)
