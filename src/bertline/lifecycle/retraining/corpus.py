"""The rows to train on, from several tables, without any that has to judge: frozen, fresh, or held out earlier.

Rows of all tables get the same column names, so that tables with other columns, and the feedback of production, are one
table. A text that a later table has again replaces the row of the earlier one, because labels are corrected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bertline.bundle.reference import read_reference
from bertline.bundle.seen import seen_among
from bertline.data.duplicates import normalise
from bertline.data.examples import Dataset, Example, read_examples
from bertline.data.fingerprint import fingerprint
from bertline.data.settings import AS_FOUND, LabelledTableSettings
from bertline.data.targets import Target
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.tasks.contract import TaskSpec
from bertline.text.reading import Input, joined
from bertline.training.prepare import own_texts

LEAST_FRESH = 100  # rows: fewer cannot judge, so they are trained on
_PARTS = 1000  # into which texts fall by their hash


@dataclass(frozen=True, slots=True)
class Table:
    """Rows from one place.

    Attributes:
        name: of the place.
        dataset: as it was read.
        examples: of the dataset, those that are left.
    """

    name: str
    dataset: Dataset
    examples: tuple[Example, ...]

    @property
    def origin(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"source": self.name, "rows": len(self.dataset.examples), "sha256": fingerprint(self.dataset).sha256}


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a run learns from and is judged by.

    Attributes:
        spec: of the champion.
        tables: to train on.
        fresh: of the feedback, not trained on; None if there are too few.
        frozen: not trained on.
        left_out: numbers of rows that are not trained on, by the reason.
        added: number of rows to train on that the champion did not learn from; None if its bundle does not say.
        learned: number of frozen rows that the champion learned from, which flatters it; None likewise.
    """

    spec: TaskSpec
    tables: tuple[Table, ...]
    fresh: Table | None
    frozen: tuple[Table, ...]
    left_out: dict[str, int]
    added: int | None
    learned: int | None

    @property
    def examples(self) -> list[Example]:
        """To train on."""
        return [one for table in self.tables for one in table.examples]

    @property
    def new_rows(self) -> int:
        """Number of rows to train on that the champion did not learn from; all of them if its bundle does not say."""
        return len(self.examples) if self.added is None else self.added


def collect(champion: Path, spec: TaskSpec, settings: RetrainSettings, feedback: Path | None = None) -> Corpus:
    """Read all tables and leave out what must not be trained on.

    Args:
        champion: directory of its bundle, which has hashes of what it has seen, and carries its test rows.
        spec: of the champion.
        settings: which tables, and how to read them.
        feedback: table of labelled rows from production.

    Raises:
        DataError: a table cannot be used.
        BundleError: the bundle is damaged.
    """
    read = Reader(spec, settings)
    frozen = tuple(read(source, settings.beside(source)) for source in settings.frozen)
    tables = [read(source, settings.beside(source), grouped=True) for source in settings.data]
    fresh, left_out = None, Counter[str]()
    if feedback is not None:
        collected = read(str(feedback), AS_FOUND)
        fresh = _fresh(collected, champion, spec, settings.fresh_ratio)
        tables.append(collected)
    judges = {
        "frozen": _texts(spec, (one.input for table in frozen for one in table.examples)),
        "held out by the champion": _texts(spec, read_reference(champion, "test", spec.names).inputs),
        "fresh": _texts(spec, [] if fresh is None else (one.input for one in fresh.examples)),
    }
    tables = [_without(table, spec, judges, left_out) for table in tables]
    tables = _newest(tables, left_out)
    inputs = [one.input for table in tables for one in table.examples]
    judged = [one.input for table in frozen for one in table.examples]
    seen, learned = seen_among(champion, inputs), seen_among(champion, judged)
    return Corpus(
        spec,
        tuple(tables),
        fresh,
        frozen,
        dict(left_out),
        None if seen is None else int((~seen).sum()),
        None if learned is None else int(learned.sum()),
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the tables of a run.

    Attributes:
        spec: of the champion.
        settings: the columns that are kept.
    """

    spec: TaskSpec
    settings: RetrainSettings

    def __call__(self, source: str, table: LabelledTableSettings, *, grouped: bool = False) -> Table:
        """The rows of a table.

        Args:
            source: its path.
            table: how it is read.
            grouped: whether it has the column of groups.

        Raises:
            DataError: it cannot be used.
        """
        own = table is not AS_FOUND  # feedback has neither groups nor slices
        dataset = read_examples(
            source,
            table,
            kind=self.spec.kind,
            pairs=self.spec.pairs,
            group_column=self.settings.group_column if grouped else None,
            slice_columns=self.settings.slice_columns if own else (),
            trainable=False,
        )
        return Table(Path(source).name, dataset, dataset.examples)


def _fresh(collected: Table, champion: Path, spec: TaskSpec, ratio: float) -> Table | None:
    """The feedback that its hash chooses, so that the next run chooses it too, and that the champion has not seen."""
    chosen = [one for one in collected.examples if _part(own_texts(spec, one.input)[0]) < ratio * _PARTS]
    seen = seen_among(champion, [one.input for one in chosen])
    kept = tuple(one for place, one in enumerate(chosen) if seen is None or not seen[place])
    return replace(collected, examples=kept) if len(kept) >= LEAST_FRESH else None


def _part(text: str) -> int:
    digest = blake2b(normalise(text).encode("utf-8", "surrogatepass"), digest_size=8, person=b"fresh rows").digest()
    return int.from_bytes(digest, "big") % _PARTS


def _texts(spec: TaskSpec, inputs: Iterable[Input]) -> frozenset[str]:
    return frozenset(normalise(text) for one in inputs for text in own_texts(spec, one))


def _without(table: Table, spec: TaskSpec, judges: dict[str, frozenset[str]], left_out: Counter[str]) -> Table:
    """The table without rows that share a text with one that judges; which those are is counted."""
    kept = []
    for one in table.examples:
        own = {normalise(text) for text in own_texts(spec, one.input)}
        reason = next((name for name, texts in judges.items() if not own.isdisjoint(texts)), None)
        if reason is None:
            kept.append(one)
        else:
            left_out[reason] += 1
    return replace(table, examples=tuple(kept))


def _newest(tables: Sequence[Table], left_out: Counter[str]) -> list[Table]:
    """The tables without rows whose text a later one has again."""
    newest: list[Table] = []
    later: set[str] = set()
    for table in reversed(tables):
        keys = [normalise(joined(one.input)) for one in table.examples]
        kept = tuple(one for key, one in zip(keys, table.examples, strict=True) if key not in later)
        left_out["replaced by later rows"] += len(table.examples) - len(kept)
        later.update(keys)
        newest.append(replace(table, examples=kept))
    return newest[::-1]


def contradictions(examples: Sequence[Example]) -> int:
    """Number of texts that occur with different targets."""
    first: dict[str, Target] = {}
    disputed = set()
    for one in examples:
        key = normalise(joined(one.input))
        if first.setdefault(key, one.target) != one.target:
            disputed.add(key)
    return len(disputed)
