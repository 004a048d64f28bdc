"""The figures of a fine-tuned classifier on the test rows, beside those of baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertline.bundle.engine import WORDS
from bertline.evaluation.baselines import Baseline, measure_baselines
from bertline.statistics.intervals import Estimate
from bertline.tasks import task
from bertline.tasks.contract import Array, Evaluation, TaskSpec
from bertline.text import Tokenizer
from bertline.training.prepare import Prepared
from bertline.training.rows import Rows
from bertline.training.session import Fitted
from bertline.training.settings import TrainSettings
from bertline.training.words import NAME as WORDS_NAME
from bertline.training.words import KeptWords, better_words


@dataclass(frozen=True)
class Measured:
    """The figures of the test rows: of the encoder and the baselines.

    ``spec`` has what the validation rows chose, as its temperature. ``words`` is the linear model of words, where the
    validation rows show that it is better than the encoder.
    """

    spec: TaskSpec
    evaluation: Evaluation
    baselines: tuple[Baseline, ...]
    words: KeptWords | None = None

    @property
    def more(self) -> dict[str, Any]:
        """Figures of the linear model of words, where it is kept, by the name of its engine."""
        return {} if self.words is None else {WORDS: self.words.to_json()}

    def to_json(self) -> dict[str, Any]:
        """The figures of the encoder, and ``more``."""
        return self.evaluation.to_json() | self.more

    def headline(self) -> list[tuple[str, Estimate]]:
        """Figures by name, the baselines' scores among them."""
        first, *rest = self.evaluation.headline()
        return [first, *((f"{first[0]} of {baseline.name}", baseline.score) for baseline in self.baselines), *rest]


def measure(
    train: Rows,
    validation: Rows,
    test: Rows,
    fitted: Fitted,
    prepared: Prepared,
    settings: TrainSettings,
    tokenizer: Tokenizer,
    untrained: Sequence[Array] | None = None,
) -> Measured:
    """Evaluate the outputs for the test rows, and baselines on the same rows; validation rows give the temperature.

    Args:
        train: rows that the network learned from.
        validation: rows that the best epoch was chosen by.
        test: rows of which nothing was learned.
        fitted: the network's outputs for both.
        prepared: with the examples of all rows.
        settings: of the run.
        tokenizer: of the rows.
        untrained: outputs for the test rows before the training, where they are a baseline.
    """
    spec, measuring = prepared.spec, task(prepared.spec.task).measure
    arrays, of_validation = test.by_text(fitted.test), validation.by_text(fitted.validation)
    tuned = measuring.tune(spec, validation.targets, of_validation, validation.readings)
    fields = [example.fields for example in prepared.test]
    evaluation = measuring.measure(tuned, test.targets, arrays, test.readings, fields=fields, seed=settings.seed)
    if prepared.test is prepared.train:  # cross-validation: baselines would answer texts that they learned from
        return Measured(tuned, evaluation, ())
    words = better_words(tuned, train, validation, of_validation, tokenizer, seed=settings.seed)
    others = []
    if untrained is not None:
        others.append(("Untrained encoder", "the network that the training began with", test.by_text(untrained)))
    if words is not None:
        others.append((WORDS_NAME, words.detail, test.by_text(words.outputs(test))))
    baselines = measure_baselines(
        tuned,
        evaluation,
        train=prepared.train,
        validation=prepared.validation,
        test=prepared.test,
        arrays=arrays,
        readings=test.readings,
        others=others,
    )
    return Measured(tuned, evaluation, baselines, words)
