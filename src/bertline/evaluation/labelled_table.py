"""Evaluate a predictor on a labelled table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.data.corpus import Corpus
from bertline.data.examples import Dataset, read_examples
from bertline.data.formats import Location
from bertline.data.rows import rows_left_out
from bertline.data.settings import EvaluateSettings
from bertline.data.shared_names import check_shared_names
from bertline.errors import DataError, SettingsError
from bertline.evaluation.kinds import kind_of
from bertline.evaluation.wording import collapse
from bertline.inference import TextClassifier
from bertline.tasks import task
from bertline.tasks.contract import Evaluation


@dataclass(frozen=True, slots=True)
class TableEvaluation:
    """The figures of a table, where its rows came from, and sentences to read beside the figures."""

    evaluation: Evaluation
    source: str
    notes: tuple[str, ...]

    @property
    def collapsed(self) -> str | None:
        """The warning about a model that answers every text alike."""
        return collapse(self.evaluation)


def evaluate_table(
    bundle: Path, predictor: TextClassifier, data: Location, settings: EvaluateSettings
) -> TableEvaluation:
    """Measure ``predictor`` on the rows of ``data``; labels that it does not know count as wrong or missed.

    Args:
        bundle: where the predictor came from, for messages.
        predictor: answers the texts.
        data: the table's path, or ``-`` for standard input.
        settings: how to read it.

    Raises:
        DataError: the table cannot be read, or no row has a label that the predictor knows.
        SettingsError: ``slice_columns`` is set for a model that hides tokens of texts.
    """
    spec = predictor.spec
    if not task(spec.task).learns:
        return _evaluate_texts(predictor, data, settings)
    dataset = read_examples(
        data,
        settings,
        kind=spec.kind,
        pairs=spec.pairs,
        slice_columns=settings.slice_columns,
        trainable=False,
    )
    check_shared_names(dataset, spec.names, f"that {bundle} knows")
    readings, arrays = predictor.pieces([example.input for example in dataset.examples], spec.output)
    evaluation = task(spec.task).measure.measure(
        spec, dataset.targets, arrays, readings, fields=[example.fields for example in dataset.examples]
    )
    return TableEvaluation(evaluation, dataset.source, tuple(_notes(bundle, dataset, evaluation)))


def _evaluate_texts(predictor: TextClassifier, data: Location, settings: EvaluateSettings) -> TableEvaluation:
    """Measure a model whose rows are made of texts without labels; equal texts count once."""
    if settings.slice_columns:
        raise SettingsError(f"slice_columns is set, but {predictor.name} reads texts without columns: leave it out")
    corpus = Corpus([str(data)], settings)
    texts = [*dict.fromkeys(corpus)]
    rows = predictor.spec.self_supervised(texts, predictor.read)
    assert rows is not None, "the caller has asked"
    readings, targets = rows
    if not readings:
        raise DataError(f"{corpus.names} has no text to hide tokens in: give texts without [MASK]")
    spec = predictor.spec
    arrays = predictor.outputs(readings, spec.output)
    evaluation = task(spec.task).measure.measure(spec, targets, arrays, readings)
    hidden = sum(len(one) for one in targets)
    note = f"{hidden:,} tokens are hidden in {len(readings):,} of {len(texts):,} texts, chosen at random"
    return TableEvaluation(evaluation, corpus.names, (note,))


def _notes(bundle: Path, dataset: Dataset, evaluation: Any) -> Iterator[str]:
    for sentence in dataset.columns.spellings:
        yield f"the label {sentence}, and the spellings count as one label"
    if (skipped := rows_left_out(dataset.skipped)) is not None:
        yield skipped
    if (unknown := kind_of(evaluation).unknown(evaluation, str(bundle))) is not None:
        yield unknown
