"""A predictor measured on a labelled table of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bertline.data.examples import Dataset, read_examples
from bertline.data.formats import Location
from bertline.data.rows import rows_left_out
from bertline.data.settings import EvaluateSettings
from bertline.data.target_kinds import OneLabel
from bertline.errors import DataError
from bertline.evaluation.wording import collapse, rows_of
from bertline.inference import TextClassifier
from bertline.statistics.figures import percent, percent_range
from bertline.tasks.classify.one_label import Evaluation, evaluate
from bertline.tasks.classify.truth import counted, read_truth


@dataclass(frozen=True, slots=True)
class TableEvaluation:
    """The figures of a table, where its rows came from, and sentences to read beside the figures."""

    evaluation: Evaluation
    source: str
    notes: tuple[str, ...]

    @property
    def collapsed(self) -> str | None:
        """What to say of a model that gives every row one label."""
        return collapse(self.evaluation)


def evaluate_table(
    bundle: Path, predictor: TextClassifier, data: Location, settings: EvaluateSettings
) -> TableEvaluation:
    """Measure ``predictor`` on the rows of ``data``; a row whose label it does not know counts as wrong.

    Args:
        bundle: where the predictor came from, for messages.
        predictor: answers the texts.
        data: the table's path, or ``-`` for standard input.
        settings: how to read it.

    Raises:
        DataError: the table cannot be read, or no row has a label that the predictor knows.
    """
    dataset = read_examples(data, settings, slice_columns=settings.slice_columns, trainable=False, kind=OneLabel())
    evaluation = _measure(bundle, predictor, dataset)
    return TableEvaluation(evaluation, dataset.source, tuple(_notes(bundle, dataset, evaluation)))


def _notes(bundle: Path, dataset: Dataset, evaluation: Evaluation) -> Iterator[str]:
    for sentence in dataset.columns.spellings:
        yield f"the label {sentence}, and the spellings count as one label"
    if (skipped := rows_left_out(dataset.skipped)) is not None:
        yield skipped
    if evaluation.unknown:
        names = [one.label for one in evaluation.unknown for _ in range(one.rows)]
        accuracy, rows = evaluation.known_accuracy, rows_of(evaluation.unknown_rows)
        yield (
            f"{rows} of a label that {bundle} does not know ({counted(names)}) and counted as wrong; accuracy on the "
            f"other rows is {percent(accuracy.value)} ({percent_range(accuracy)})"
        )


def _measure(bundle: Path, predictor: TextClassifier, dataset: Dataset) -> Evaluation:
    examples, labels = dataset.examples, predictor.labels
    truth = read_truth([str(one.target) for one in examples], labels)
    if (truth.rows >= len(labels)).all():
        raise DataError(
            f"{dataset.source} line {examples[0].line} has the label {examples[0].target!r}, and no row has one that "
            f"{bundle} knows ({', '.join(labels)}): give a table with its labels, or name another --label-column"
        )
    texts = [one.text for one in examples]
    scores = predictor.score(texts)
    return evaluate(
        truth=truth.rows,
        unknown=truth.unknown,
        logits=scores.logits,
        temperature=predictor.temperature,
        labels=labels,
        lengths=[one.read for one in scores.readings],
        fields=[one.fields for one in examples],
        texts=texts,
    )
