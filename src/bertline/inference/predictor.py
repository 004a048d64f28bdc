"""What a predictor promises, and the one that composes tokenizer, batches, back end and temperature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bertline.bundle import Bundle
from bertline.data.batching import Batch, pad, plan
from bertline.errors import BundleError
from bertline.inference.lanes import each_batch
from bertline.statistics.activation import activation_of, probabilities
from bertline.text import Reader, Reading, Tokenizer, Truncation

# Padded tokens of a batch: small batches stay in the cache of a CPU.
BATCH_TOKENS = 2048

Logits = Float[np.ndarray[Any, Any], "rows labels"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    ``probabilities`` has every label, in the bundle's order, and sums to 1 unless a text may have several
    labels; ``label`` is the most probable
    one. ``read_tokens`` counts [CLS] and [SEP]; ``cut_tokens`` are the tokens that truncation left out, 0 if
    none.
    """

    label: str
    probabilities: Mapping[str, float]
    read_tokens: int
    cut_tokens: int

    def top(self, k: int) -> list[tuple[str, float]]:
        """The ``k`` most probable labels with their probabilities, most probable first.

        >>> Prediction("good", {"bad": 0.2, "good": 0.7, "so-so": 0.1}, read_tokens=5, cut_tokens=0).top(2)
        [('good', 0.7), ('bad', 0.2)]
        """
        return sorted(self.probabilities.items(), key=lambda one: -one[1])[:k]


@runtime_checkable
class Predictor(Protocol):
    """Answers texts. What the command line and the service know of a model."""

    @property
    def name(self) -> str:
        """What people call the model."""
        ...

    @property
    def version(self) -> str:
        """The same for the same bytes in every file of the bundle."""
        ...

    @property
    def engine(self) -> str:
        """What computes the network, by the name that the bundle gives it."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label it can give."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most tokens it reads of a text, [CLS] and [SEP] included."""
        ...

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One answer per text, in their order; the answer to a text does not depend on the others."""
        ...


@runtime_checkable
class Backend(Protocol):
    """Computes the network, on whatever it runs on."""

    @property
    def lanes(self) -> int:
        """How many batches it computes at a time: so many threads may call ``logits`` at once."""
        ...

    def logits(self, batch: Batch, *, alone: bool = False) -> Float[np.ndarray[Any, Any], "batch labels"]:
        """One row of logits per row of the batch; ``alone``: no other thread calls it meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """The network's own answer, before the temperature: a row of logits per text, and what it read."""

    logits: Logits
    readings: list[Reading]


class TextClassifier:
    """The predictor of a bundle.

    Args:
        bundle: gives labels, truncation and temperature.
        tokenizer: the bundle's.
        backend: computes the bundle's weights.
        batch_tokens: bound on the padded tokens of a batch; a longer text is a batch of its own.
        engine: what the back end is called.
    """

    def __init__(
        self,
        bundle: Bundle,
        tokenizer: Tokenizer,
        backend: Backend,
        *,
        batch_tokens: int = BATCH_TOKENS,
        engine: str = "torch",
    ) -> None:
        manifest = bundle.manifest
        self.name = manifest.name
        self.engine = engine
        self.version = bundle.version
        self.labels: tuple[str, ...] = manifest.labels
        self.max_tokens = manifest.max_tokens
        self.metrics = manifest.metrics
        self._reader = Reader(tokenizer, Truncation(manifest.max_tokens, manifest.truncation))
        self.temperature = manifest.temperature
        self.activation = activation_of(bundle.path)
        self.backend = backend
        self.batch_tokens = batch_tokens

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One answer per text, in their order.

        Raises:
            BundleError: the weights give something else than one finite logit per label.
        """
        scores = self.score(texts)
        rows = probabilities(scores.logits, self.activation, self.temperature)
        return [
            Prediction(
                label=self.labels[int(row.argmax())],
                probabilities=dict(zip(self.labels, row.tolist(), strict=True)),
                read_tokens=reading.read,
                cut_tokens=reading.cut,
            )
            for row, reading in zip(rows, scores.readings, strict=True)
        ]

    def score(self, texts: Sequence[str]) -> Scores:
        """Logits and reading of each text, in their order; for evaluation and calibration.

        Raises:
            BundleError: as ``predict``.
        """
        readings = self._reader.read(texts)
        logits = np.empty((len(readings), len(self.labels)))
        batches = plan([len(one.piece.ids) for one in readings], self.batch_tokens)

        def compute(rows: list[int]) -> None:
            batch = pad([readings[row].piece.ids for row in rows], self._reader.tokenizer.pad_id)
            logits[rows] = self.logits(batch, alone=len(batches) == 1)

        each_batch(compute, batches, self.backend.lanes)
        return Scores(logits, readings)

    def logits(self, batch: Batch, *, alone: bool = False) -> Logits:
        """What the back end makes of a batch (``Backend.logits``), if it makes sense.

        Raises:
            BundleError: as ``predict``.
        """
        logits = self.backend.logits(batch, alone=alone)
        if logits.shape[1] != len(self.labels):
            raise BundleError(
                f"{self.name} has {len(self.labels)} labels and its weights give {logits.shape[1]} logits: "
                "train it again, or load an earlier version"
            )
        if not np.isfinite(logits).all():
            raise BundleError(
                f"the weights of {self.name} give a logit that is not a finite number: "
                "train it again, or load an earlier version"
            )
        return logits
