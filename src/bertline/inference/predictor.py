"""The predictor of a bundle: tokenizer, batches, back end and temperature."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bertline.bundle import Bundle
from bertline.data.batching import Batch
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BundleError
from bertline.inference.backend import Backend
from bertline.inference.lanes import compute_texts
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Input, Reader, Reading, Tokenizer, Truncation

# Padded tokens of a batch: small batches stay in the cache of a CPU.
BATCH_TOKENS = 2048
# Texts whose scores of the vocabulary are held at a time: 8 MB with a [MASK] in each and 30,522 entries.
MASKED_TEXTS = 64

Array = np.ndarray[Any, Any]
Logits = Float[Array, "rows labels"]


@dataclass(frozen=True, slots=True)
class Scores:
    """The logits of each text, before the temperature, and its reading."""

    logits: Logits
    readings: list[Reading]


@runtime_checkable
class Predictor(Protocol):
    """What answers texts: a model as it was trained, or with labels that came with the texts."""

    name: str
    engine: str
    max_tokens: int
    labels: tuple[str, ...]
    spec: TaskSpec

    def predict(self, texts: Sequence[Input], spec: TaskSpec | None = None) -> list[Any]:
        """One answer per text or pair, in their order."""
        ...


class TextClassifier:
    """The predictor of a bundle.

    Args:
        bundle: gives labels, truncation and temperature.
        tokenizer: the bundle's.
        backend: computes the bundle's weights.
        batch_tokens: bound on the padded tokens of a batch; a longer text is a batch of its own.
        engine: name of the back end.
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
        self.metrics, self.pooling = manifest.metrics, manifest.pooling
        self.spec = manifest.task.with_tokenizer(tokenizer)
        self.tokenizer = tokenizer
        self._reader = Reader(
            tokenizer, Truncation(manifest.max_tokens, manifest.truncation), self.spec.offsets, self.spec.apart
        )
        self.temperature = manifest.temperature
        self.backend = backend
        self.directory = bundle.path
        self.batch_tokens = batch_tokens

    @property
    def dimensions(self) -> int:
        """Width of a state and of an embedding."""
        config = json.loads((self.directory / "config.json").read_text(encoding="utf-8"))
        return int(config.get("hidden_size") or config["dim"])

    def predict(self, texts: Sequence[Input], spec: TaskSpec | None = None) -> list[Any]:
        """One answer per text or pair, in their order, as the model's task has it.

        Args:
            texts: as they came.
            spec: the model's own with what a request asks for; None is the model's own.

        Raises:
            BundleError: the weights give something else than finite logits, one per label.
        """
        spec = spec or self.spec
        step = MASKED_TEXTS if OUTPUTS[spec.output].masked else max(1, len(texts))
        answers: list[Any] = []
        for start in range(0, len(texts), step):
            readings, arrays = self.pieces(texts[start : start + step], spec.output)
            answers += task(spec.task).answer.answers(spec, arrays, readings)
        return answers

    def score(self, texts: Sequence[Input]) -> Scores:
        """Logits and reading of each text, in their order; for evaluation and calibration of a classifier.

        Raises:
            BundleError: as ``predict``.
        """
        readings, arrays = self.pieces(texts, "logits")
        return Scores(means(arrays).reshape(-1, len(self.labels)), readings)

    def embed(self, texts: Sequence[Input]) -> Float[Array, "texts hidden"]:
        """The output ``embedding`` of each text, fp32; of one text alone as among others.

        An embedder pools states as its bundle says; of any other model they are the mean of the last layer's states
        over the text's tokens ([CLS] and [SEP] count, padding does not). Nothing is normalised
        (``statistics.activation.normalised``).

        Raises:
            BundleError: the weights give a number that is not finite.
        """
        _, arrays = self.pieces(texts, "embedding")
        return means(arrays).astype(np.float32).reshape(-1, self.dimensions)

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Array]]]:
        """What was read of each text, in their order, and one output of each of its pieces, without padding.

        Args:
            texts: as they came.
            output: by its name in ``encoder.outputs``.

        Raises:
            BundleError: as ``compute``.
        """
        readings = self.read(texts)
        return readings, self.outputs(readings, output)

    def read(self, texts: Sequence[Input]) -> list[Reading]:
        """Texts as the model reads them, in their order."""
        return self._reader.read(texts)

    def read_with_offsets(self, one: Input) -> Reading:
        """An input as the model reads it, with the characters of its tokens."""
        return replace(self._reader, offsets=True).read([one])[0]

    def outputs(self, readings: Sequence[Reading], output: str) -> list[list[Array]]:
        """One output of each piece of each reading, as ``pieces``.

        Raises:
            BundleError: as ``compute``.
        """
        return compute_texts(
            self.compute,
            readings,
            output,
            pad_id=self.tokenizer.pad_id,
            batch_tokens=self.batch_tokens,
            lanes=self.backend.lanes,
        )

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> Float[Array, "batch *axes"]:
        """What the back end computes of a batch (``Backend.compute``), if it makes sense.

        Raises:
            BundleError: the weights give a number that is not finite, or another number of logits than of labels.
        """
        array = self.backend.compute(batch, output, alone=alone)
        by_label = OUTPUTS[output].axes[-1] == "label"
        if by_label and array.shape[-1] != len(self.labels):
            raise BundleError(
                f"{self.name} has {len(self.labels)} labels and its weights give {array.shape[-1]} logits: "
                "train it again, or load an earlier version"
            )
        if not np.isfinite(array).all():
            raise BundleError(
                f"the weights of {self.name} give a {'logit' if by_label else 'state'} that is not a finite number: "
                "train it again, or load an earlier version"
            )
        return array


def means(arrays: Sequence[Sequence[Array]]) -> Array:
    """An array for each text: the mean over its pieces."""
    return np.array([np.mean(pieces, axis=0) if len(pieces) > 1 else pieces[0] for pieces in arrays], dtype=np.float64)
