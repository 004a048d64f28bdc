"""From what the network computes for each piece of a text to the text's embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bertline.statistics.activation import normalised
from bertline.tasks.contract import Array
from bertline.tasks.embed.spec import Spec
from bertline.text.reading import Reading


@dataclass(frozen=True, slots=True)
class Answer:
    """The embedding of one text."""

    embedding: tuple[float, ...]
    read_tokens: int
    cut_tokens: int

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {**self.columns(), "read_tokens": self.read_tokens, "cut_tokens": self.cut_tokens}

    def columns(self) -> dict[str, object]:
        """Columns of a table of predictions."""
        return {"embedding": [*self.embedding]}


def vectors(spec: Spec, rows: Sequence[Sequence[Array]]) -> Float[Array, "texts hidden"]:
    """The embedding of each text as the model has it, fp32; of several pieces the mean counts.

    Cut to the dimensions that the spec keeps, then normalised.

    >>> vectors(Spec(), [[np.array([3.0, 4.0])]]).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    means = np.array([np.mean(own, axis=0, dtype=np.float64) for own in rows]).astype(np.float32)
    means = means[:, : spec.kept]
    return normalised(means) if spec.normalised else means


def answers(spec: Spec, rows: Sequence[Sequence[Array]], readings: Sequence[Reading]) -> list[Answer]:
    """The embedding of each text.

    Args:
        spec: of the model.
        rows: the network's output for each text's pieces, each [hidden].
        readings: of the texts.
    """
    each = zip(vectors(spec, rows).tolist(), readings, strict=True)
    return [Answer(tuple(row), reading.read, reading.cut) for row, reading in each]
