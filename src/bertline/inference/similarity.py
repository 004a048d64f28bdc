"""A predictor that compares the two texts of each pair by their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertline.data.settings import Reads
from bertline.inference.load import load_predictor
from bertline.inference.predictor import TextClassifier, means
from bertline.statistics.activation import normalised
from bertline.tasks.contract import TaskSpec
from bertline.text import Input
from bertline.text.reading import texts_of

DIGITS = 6  # of a cosine: embeddings are float32


class Spec(TaskSpec):
    """Of no bundle: any model that embeds can compare."""

    task: Literal["similarity"] = "similarity"
    reads: Reads = "pair"

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def apart(self) -> bool:
        """Each text of a pair has its own embedding."""
        return True


@dataclass(frozen=True, slots=True)
class Similarity:
    """The cosine of the embeddings of two texts, −1 to 1, and the tokens of both."""

    similarity: float
    read_tokens: int
    cut_tokens: int

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {**self.columns(), "read_tokens": self.read_tokens, "cut_tokens": self.cut_tokens}

    def columns(self) -> dict[str, object]:
        """Columns of a table."""
        return {"similarity": self.similarity}


class SimilarityPredictor:
    """Compares pairs of texts.

    Args:
        predictor: of a model whose output ``embedding`` was loaded.
    """

    def __init__(self, predictor: TextClassifier) -> None:
        self.predictor = predictor
        self.name, self.engine, self.max_tokens = predictor.name, predictor.engine, predictor.max_tokens
        self.labels: tuple[str, ...] = ()
        self.spec: TaskSpec = Spec()

    def predict(self, texts: Sequence[Input], spec: TaskSpec | None = None) -> list[Similarity]:
        """One answer per pair, in their order; a single text is compared with itself, and ``spec`` has no effect.

        Raises:
            BundleError: as ``TextClassifier.predict``.
        """
        pairs = [(texts_of(one)[0], texts_of(one)[-1]) for one in texts]
        places = {text: place for place, text in enumerate(dict.fromkeys(text for pair in pairs for text in pair))}
        readings, arrays = self.predictor.pieces([*places], "embedding")
        rows = normalised(means(arrays))
        answers = []
        for first, second in ((places[first], places[second]) for first, second in pairs):
            cosine = min(1.0, max(-1.0, float(rows[first] @ rows[second])))
            both = (readings[first], readings[second])
            answers.append(
                Similarity(round(cosine, DIGITS), sum(one.read for one in both), sum(one.cut for one in both))
            )
        return answers


def load_similarity(bundle: Path) -> SimilarityPredictor:
    """The predictor of a bundle that compares pairs of texts.

    Raises:
        BundleError: as ``load_predictor``.
    """
    return SimilarityPredictor(load_predictor(bundle, output="embedding"))
