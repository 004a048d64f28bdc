"""The linear model of words that a bundle keeps where it is better than the encoder on the validation rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bertline.bundle.engine import WORDS
from bertline.data.batching import Batch
from bertline.evaluation import tfidf
from bertline.inference.words_backend import WordsBackend
from bertline.statistics.figures import p_value, percent
from bertline.tasks import task
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Array, Comparison, TaskSpec
from bertline.text import Tokenizer
from bertline.training.rows import Rows

ROWS = 2_048  # texts in a batch: some 10 MB at 256 tokens
NAME = f"Engine {WORDS}"  # among baselines
TITLE = "Linear model of words"  # among the facts of a report


@dataclass(frozen=True)
class KeptWords:
    """A linear model that is better than the encoder.

    Attributes:
        model: its logits suit the encoder's temperature.
        strength: the inverse regularisation, C, that the validation rows chose.
        rows: of validation.
        comparison: of the encoder with it on these rows.
    """

    model: WordsBackend
    strength: float
    rows: int
    comparison: Comparison

    @property
    def accuracy(self) -> float:
        """Its accuracy on the validation rows."""
        return self.comparison.value - self.comparison.difference.value

    @property
    def detail(self) -> str:
        """How it was made."""
        return f"pieces of words and pairs of them; C = {self.strength:g}, chosen on the validation texts"

    @property
    def sentence(self) -> str:
        """What was compared, and with what result."""
        return (
            f"accuracy {percent(self.accuracy)} on {self.rows:,} validation rows, the encoder's "
            f"{percent(self.comparison.value)} ({p_value(self.comparison.p_value)}), so the bundle keeps it as the "
            f"engine {WORDS}"
        )

    def outputs(self, rows: Rows) -> list[Array]:
        """Its logits for each piece of rows."""
        return self.model.of([*_batches(rows)])

    def to_json(self) -> dict[str, Any]:
        """For ``metrics`` of the manifest."""
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "encoder_accuracy": self.comparison.value,
            "p_value": self.comparison.p_value,
            "C": self.strength,
        }


def better_words(
    spec: TaskSpec, train: Rows, validation: Rows, outputs: list[list[Array]], tokenizer: Tokenizer, *, seed: int = 0
) -> KeptWords | None:
    """The linear model of words if it is significantly better on the validation rows (McNemar's exact test).

    The encoder's epoch and the linear model's C were both chosen by these rows.

    Args:
        spec: of the encoder, with its temperature.
        train: rows that the encoder learned from.
        validation: rows to compare by.
        outputs: the encoder's for each validation row.
        tokenizer: of the rows.
        seed: of the bootstrap.

    Returns:
        None where it is not, and for anything but one label per text.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    if not isinstance(spec, Spec) or spec.problem != "single" or not validation.targets:
        return None
    special = {tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.mask_id}
    labels, truth = ([str(some.targets[text]) for text in some.text_of] for some in (train, validation))
    found = tfidf.of_pieces([*_batches(train)], labels, [*_batches(validation)], truth, spec.labels, special)
    if found is None:
        return None
    model, strength = found
    measure, rows = task(spec.task).measure, validation.readings
    own = validation.by_text(model.of([*_batches(validation)]))
    tuned = measure.tune(spec, validation.targets, own, rows)
    comparison = measure.compare(spec, validation.targets, outputs, own, rows, seed=seed)
    if comparison.verdict >= 0:
        return None
    return KeptWords(model.scaled(spec.temperature / tuned.temperature), strength, len(rows), comparison)


def _batches(rows: Rows) -> Iterator[Batch]:
    """All pieces in their order."""
    for start in range(0, len(rows), ROWS):
        yield rows.batch(range(start, min(start + ROWS, len(rows))))
