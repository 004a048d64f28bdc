"""The figures of a fine-tuned classifier on the test rows, beside those of baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bertline.evaluation.baselines import Baseline, measure_baselines
from bertline.statistics.intervals import Estimate
from bertline.tasks import task
from bertline.tasks.contract import Array, Evaluation, TaskSpec
from bertline.training.prepare import Prepared
from bertline.training.rows import Rows
from bertline.training.session import Fitted
from bertline.training.settings import TrainSettings


@dataclass(frozen=True)
class Measured:
    """The figures of the test rows: of the encoder and the baselines.

    ``spec`` has what the validation rows chose, as its temperature.
    """

    spec: TaskSpec
    evaluation: Evaluation
    baselines: tuple[Baseline, ...]

    def headline(self) -> list[tuple[str, Estimate]]:
        """Figures by name, the baselines' scores among them."""
        first, *rest = self.evaluation.headline()
        return [first, *((f"{first[0]} of {baseline.name}", baseline.score) for baseline in self.baselines), *rest]


def measure(
    validation: Rows,
    test: Rows,
    fitted: Fitted,
    prepared: Prepared,
    settings: TrainSettings,
    untrained: Sequence[Array] | None = None,
) -> Measured:
    """Evaluate the outputs for the test rows, and baselines on the same rows; validation rows give the temperature.

    Args:
        validation: rows that the best epoch was chosen by.
        test: rows of which nothing was learned.
        fitted: the network's outputs for both.
        prepared: with the examples of all rows.
        settings: of the run.
        untrained: outputs for the test rows before the training, where they are a baseline.
    """
    spec, measuring = prepared.spec, task(prepared.spec.task).measure
    arrays = test.by_text(fitted.test)
    tuned = measuring.tune(spec, validation.targets, validation.by_text(fitted.validation), validation.readings)
    fields = [example.fields for example in prepared.test]
    evaluation = measuring.measure(tuned, test.targets, arrays, test.readings, fields=fields, seed=settings.seed)
    if prepared.test is prepared.train:  # cross-validation: baselines would answer texts that they learned from
        return Measured(tuned, evaluation, ())
    baselines = measure_baselines(
        tuned,
        evaluation,
        train=prepared.train,
        validation=prepared.validation,
        test=prepared.test,
        arrays=arrays,
        readings=test.readings,
        untrained=None if untrained is None else test.by_text(untrained),
    )
    return Measured(tuned, evaluation, baselines)
