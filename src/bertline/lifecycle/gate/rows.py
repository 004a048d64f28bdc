"""Labelled rows that a gate judges by, and what each model makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
    def of(cls, path: Path, engine: str | None = None) -> Contestant:
        """Load the bundle, by default with the engine that would answer.

        Raises:
            BundleError: it cannot be loaded.
            UsageError: it has no such engine.
        """
        return cls(path, read_manifest(path), load_predictor(path, engine=engine))


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one model makes of the texts of a table."""

    spec: Any
    readings: Sequence[Reading]
    arrays: Arrays

    def only(self, places: Sequence[int]) -> Outputs:
        """Of some of the rows."""
        return Outputs(self.spec, [self.readings[i] for i in places], [self.arrays[i] for i in places])


@dataclass(frozen=True, slots=True)
class Judged:
    """One table of rows as both models answer it.

    Attributes:
        name: of the table.
        dataset: its rows.
        challenger: makes this of them.
        champion: likewise; None without one.
    """

    name: str
    dataset: Dataset
    challenger: Outputs
    champion: Outputs | None

    @property
    def spec(self) -> Any:
        """Of the challenger."""
        return self.challenger.spec

    @property
    def readings(self) -> Sequence[Reading]:
        """Of the challenger."""
        return self.challenger.readings

    @property
    def arrays(self) -> Arrays:
        """Outputs of the challenger."""
        return self.challenger.arrays

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
        one = self.champion if champion and self.champion is not None else self.challenger
        measure = task(one.spec.task).measure.measure
        measured: Evaluation = measure(one.spec, self.dataset.targets, one.arrays, one.readings)
        return measured

    def comparison(self, chosen: np.ndarray[Any, Any] | None = None) -> Comparison:
        """The challenger against the champion, on all rows or on some."""
        places = range(len(self.readings)) if chosen is None else np.flatnonzero(chosen).tolist()
        assert self.champion is not None, "there is a champion"
        own, other = self.challenger.only(places), self.champion.only(places)
        truth = [self.dataset.targets[i] for i in places]
        compared: Comparison = task(own.spec.task).measure.compare(
            own.spec, truth, own.arrays, other.arrays, own.readings, other=(other.spec, other.readings)
        )
        return compared

    def slices(self, least: int) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Rows by the value of each slice column, by label, and the shortest and the longest third; each a mask.

        One at a time, because a column may have thousands of values.

        Args:
            least: rows of a slice; a smaller one, and one that is all rows, is left out.
        """
        examples, targets = self.dataset.examples, self.dataset.targets
        columns = {f"{name} = ": [one.fields.get(name, "") for one in examples] for name in self._columns()}
        if all(isinstance(one, str) for one in targets):
            columns["label "] = [str(one) for one in targets]
        for prefix, column in columns.items():
            values = np.array(column)
            for value, rows in Counter(column).items():
                if least <= rows < len(column):
                    yield f"{prefix}{value}", values == value
        lengths = np.array([one.read + one.cut for one in self.readings])
        first, second = np.quantile(lengths, [1 / 3, 2 / 3])
        thirds = {f"up to {first:.0f} tokens": lengths <= first, f"over {second:.0f} tokens": lengths > second}
        yield from ((name, mask) for name, mask in thirds.items() if least <= mask.sum() < len(mask))

    def _columns(self) -> Iterable[str]:
        return dict.fromkeys(name for one in self.dataset.examples for name in one.fields)


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
        check_alike((challenger.title, spec), (champion.title, champion.predictor.spec))
    dataset = read_examples(
        data, settings, kind=spec.kind, pairs=spec.pairs, slice_columns=settings.slice_columns, trainable=False
    )
    check_shared_names(dataset, spec.names, f"that {challenger.title} knows")
    inputs = [one.input for one in dataset.examples]
    other = None if champion is None else outputs_of(champion.predictor, inputs)
    return Judged(name or dataset.source, dataset, outputs_of(challenger.predictor, inputs), other)


def outputs_of(predictor: TextClassifier, inputs: Sequence[Input]) -> Outputs:
    """What a predictor makes of texts."""
    return Outputs(predictor.spec, *predictor.pieces(inputs, predictor.spec.output))


def check_alike(one: tuple[str, Any], other: tuple[str, Any]) -> None:
    """Check that two models, each with its title and spec, give the same kind of answers.

    Raises:
        UsageError: they do not.
    """
    (title, spec), (other_title, other_spec) = one, other
    if (other_spec.task, other_spec.names, other_spec.reads) != (spec.task, spec.names, spec.reads):
        raise UsageError(
            f"{title} and {other_title} do not give the same kind of answers "
            f"({_kind(spec)}; {_kind(other_spec)}): compare models of one task with the same labels"
        )


def _kind(spec: Any) -> str:
    names = ", ".join(spec.names[:4]) + (", …" if len(spec.names) > 4 else "")
    return f"{spec.task}: {names}" if names else str(spec.task)
