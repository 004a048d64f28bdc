"""From a table to the rows of each split: read, split, keep duplicates out of the evaluation side, tokenise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bertline.data.duplicates import cross_duplicates
from bertline.data.examples import Dataset, Example, check_head, read_examples
from bertline.data.fingerprint import Fingerprint, fingerprint
from bertline.data.labels import Labels
from bertline.data.names import canonical
from bertline.data.split import stratified_split
from bertline.data.target_kinds import OneLabel
from bertline.errors import DataError
from bertline.tasks.classify.truth import SHOWN, counted, read_truth
from bertline.text import Reader, Tokenizer, Truncation
from bertline.training.progress import Progress
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings


@dataclass(frozen=True)
class Prepared:
    """The examples of each split, the labels, and the facts about the data that the report and the card tell."""

    source: str
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    labels: Labels
    fingerprint: Fingerprint
    test_fingerprint: Fingerprint
    facts: tuple[tuple[str, str], ...]

    @property
    def splits(self) -> dict[str, tuple[Example, ...]]:
        """Examples by the name of their split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def prepare(source: str, settings: TrainSettings, progress: Progress) -> Prepared:
    """Read ``source`` (and the evaluation table, if one is given) and split it.

    Raises:
        DataError: the table or one of its rows cannot be used, or too few rows are left to train or evaluate.
    """
    if settings.eval_data is not None:  # before all of DATA is read
        check_head(str(settings.eval_data), settings.beside(settings.eval_data))
    dataset = _read(source, settings)
    labels = Labels.of(dataset.targets)
    facts = _reading_facts(dataset)
    train, validation, test = _split(dataset, labels, settings)
    removed: dict[str, str] = {}
    if not settings.keep_duplicates:
        validation, in_validation = _without_duplicates(train, validation)
        test, in_test = _without_duplicates((*train, *validation), test)
        removed = {"validation": in_validation, "test": in_test}
    for name, some in (("validation", validation), ("test", test)):
        if not some:
            raise DataError(
                f"{source} leaves no {name} rows that are not duplicates of training rows: give more rows, "
                "or --keep-duplicates to evaluate on the repeated ones"
            )
    facts += _split_facts(train, validation, test, removed, settings)
    facts += _label_facts(dataset, labels, test)
    for name, value in facts:
        progress.note(f"{name}: {value}")
    tested = fingerprint(replace(dataset, examples=test))
    return Prepared(Path(source).name, train, validation, test, labels, fingerprint(dataset), tested, tuple(facts))


def tokenise(examples: Sequence[Example], tokenizer: Tokenizer, labels: Labels, settings: TrainSettings) -> Rows:
    """Rows of one split as the training loop takes them."""
    reader = Reader(tokenizer, Truncation(settings.max_tokens, settings.truncation))
    readings = reader.read([one.text for one in examples])
    truth = read_truth([str(one.target) for one in examples], labels.names)
    return Rows(readings, truth.rows.tolist(), [one.line for one in examples], tokenizer.pad_id)


def cut_fact(rows: Sequence[Rows], settings: TrainSettings) -> tuple[str, str]:
    """How many texts and tokens did not fit, over all splits."""
    readings = [one for some in rows for one in some.readings]
    cut, lost = sum(1 for one in readings if one.cut), sum(one.cut for one in readings)
    total = lost + sum(one.read for one in readings)
    if not cut:
        return "Truncation", f"no text is longer than {settings.max_tokens} tokens; nothing was cut"
    kept = "the first and last tokens are kept" if settings.truncation == "head_tail" else "the first tokens are kept"
    return "Truncation", (
        f"{cut:,} of {len(readings):,} texts are longer than {settings.max_tokens} tokens; {kept}, "
        f"{lost:,} tokens ({lost / total:.1%}) were cut"
    )


def _read(source: str | Path, settings: TrainSettings, like: Dataset | None = None) -> Dataset:
    return read_examples(
        str(source),
        settings,
        kind=OneLabel(),
        group_column=settings.group_column,
        slice_columns=settings.slice_columns,
        trainable=like is None,
        like=like,
    )


def _split(
    dataset: Dataset, labels: Labels, settings: TrainSettings
) -> tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]:
    examples = dataset.examples
    given = settings.eval_data is not None
    split = stratified_split(
        [str(one.target) for one in examples],
        groups=[one.group or "" for one in examples] if settings.group_column else None,
        validation_ratio=settings.validation_ratio,
        test_ratio=0.0 if given else settings.test_ratio,
        seed=settings.seed,
    )
    test = tuple(examples[i] for i in split.test)
    if settings.eval_data is not None:
        test = _read_evaluation(settings.eval_data, dataset, labels, settings)
    return tuple(examples[i] for i in split.train), tuple(examples[i] for i in split.validation), test


def _read_evaluation(path: Path, dataset: Dataset, labels: Labels, settings: TrainSettings) -> tuple[Example, ...]:
    evaluation = _read(path, settings.beside(path), like=dataset).examples
    if not any(str(one.target) in labels for one in evaluation):
        raise DataError(
            f"{path} line {evaluation[0].line} has the label {evaluation[0].target!r}, and no row has one of the "
            "training rows: correct the labels, or name another --label-column"
        )
    return evaluation


def _without_duplicates(
    reference: Sequence[Example], candidates: tuple[Example, ...]
) -> tuple[tuple[Example, ...], str]:
    found = cross_duplicates([one.text for one in reference], [one.text for one in candidates])
    repeated = {one.candidate for one in found}
    exact = sum(1 for one in found if one.kind == "exact")
    kept = tuple(one for i, one in enumerate(candidates) if i not in repeated)
    return kept, f"{exact} exact and {len(found) - exact} near" if found else ""


def _reading_facts(dataset: Dataset) -> list[tuple[str, str]]:
    counts = Counter(str(one.target) for one in dataset.examples)
    shares = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(8))
    more = f" and {len(counts) - 8} more labels" if len(counts) > 8 else ""
    columns = f"text from column {dataset.text_column!r}, label from {dataset.settings['label_column']!r}"
    facts = [("Data", f"{len(dataset.examples):,} rows of {dataset.source}; {columns}"), ("Labels", shares + more)]
    if dataset.columns.spellings:
        facts.append(("Spellings that count as one label", "; ".join(dataset.columns.spellings)))
    if dataset.skipped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in dataset.skipped.items())
        facts.append(("Skipped rows", reasons))
    return facts


def _label_facts(dataset: Dataset, labels: Labels, test: Sequence[Example]) -> list[tuple[str, str]]:
    """Labels that are rare, that no test row has, or that only test rows have."""
    counts, facts = Counter(str(one.target) for one in dataset.examples), []
    single = [f"{one.target} (line {one.line})" for one in dataset.examples if counts[str(one.target)] == 1]
    if single:
        facts.append(("Labels with a single row, used for training", _some(single)))
    tested = {canonical(str(one.target)) for one in test}
    if absent := [name for name in labels.names if canonical(name) not in tested]:
        facts.append(("Labels that cannot be evaluated because no test row has them", _some(absent)))
    if unknown := [str(one.target) for one in test if str(one.target) not in labels]:
        facts.append(("Test rows counted as wrong because no training row has their label", counted(unknown)))
    return facts


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _split_facts(
    train: Sequence[Example],
    validation: Sequence[Example],
    test: Sequence[Example],
    removed: dict[str, str],
    settings: TrainSettings,
) -> list[tuple[str, str]]:
    held_out = f"from {settings.eval_data}" if settings.eval_data else f"held out, seed {settings.seed}"
    facts = [("Split", f"{len(train):,} train, {len(validation):,} validation, {len(test):,} test ({held_out})")]
    if settings.keep_duplicates:
        return [*facts, ("Duplicates", "not looked for, as asked")]
    found = "; ".join(f"{what} left out of {name}" for name, what in removed.items() if what)
    return [*facts, ("Duplicates of training rows", found or "none in the evaluation rows")]
