"""The table of a network's outputs, and how to split a batch's array into one per text.

The first axis of a batch's array is the batch; ``axes`` are the others. Where the first of them is ``masked``, the two
are one: the batch's [MASK] tokens, one text's after the other's. The scores of a vocabulary take 122 kB per token, so
they are computed and sent for these tokens alone. Only this table knows which axes are tokens: back ends, the wire and
the scheduler carry arrays and names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from bertline.text.reading import Piece, Reading

Axis = Literal["label", "token", "masked", "vocabulary", "hidden", "layer", "head", "part", "width"]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a network.

    Attributes:
        axes: of one text's array.
        full: computed by the bundle's full network in fp32, whichever engine gives the answers, so that stored arrays
            stay comparable after ``bertline optimize`` and on other machines; but not where it is the answer itself.
        inside: of the graph that shows what the full network computes on its way; no task answers with it.
    """

    axes: tuple[Axis, ...]
    full: bool = False
    inside: bool = False

    @property
    def by_token(self) -> bool:
        """Whether an array has an entry per token, and so cannot be averaged over windows."""
        return "token" in self.axes or self.masked

    @property
    def masked(self) -> bool:
        """Whether an array has an entry for each [MASK] and for no other token."""
        return self.axes[0] == "masked"


OUTPUTS: Mapping[str, Output] = MappingProxyType(
    {
        "logits": Output(("label",)),
        "tags": Output(("token", "label")),
        "vocabulary": Output(("masked", "vocabulary")),
        "embedding": Output(("hidden",), full=True),
        "states": Output(("token", "hidden"), full=True),
        "attentions": Output(("layer", "head", "token", "token"), full=True, inside=True),
        "embeddings": Output(("part", "token", "width"), full=True, inside=True),
        "layers": Output(("layer", "part", "token", "hidden"), full=True, inside=True),
        "inner": Output(("layer", "token", "width"), full=True, inside=True),
        "pooled": Output(("hidden",), full=True, inside=True),
        "scores": Output(("label",), full=True, inside=True),
    }
)


def rows(output: str, array: Float[Array, "batch *axes"], pieces: Sequence[Piece]) -> list[Array]:
    """One array per piece, without padding: views of ``array``, cut along its token axes.

    Args:
        output: name in ``OUTPUTS``.
        array: of a batch.
        pieces: that the batch was made of, in its order.

    >>> [one.shape for one in rows("states", np.zeros((2, 3, 8)), [Piece([2, 7, 3]), Piece([2, 3])])]
    [(3, 8), (2, 8)]
    >>> [one.shape for one in rows("attentions", np.zeros((1, 6, 12, 9, 9)), [Piece([2, 7, 7, 3])])]
    [(6, 12, 4, 4)]
    >>> masked = [Piece([4, 4], masked=[0, 1]), Piece([7, 4], masked=[1])]
    >>> [one.shape for one in rows("vocabulary", np.zeros((3, 9)), masked)]
    [(2, 9), (1, 9)]
    """
    one = OUTPUTS[output]
    if one.masked:
        return np.split(array, np.cumsum([len(piece.masked) for piece in pieces])[:-1])
    if not one.by_token:
        return list(array)
    cuts = ([slice(len(piece.ids) if axis == "token" else None) for axis in one.axes] for piece in pieces)
    return [text[tuple(cut)] for text, cut in zip(array, cuts, strict=True)]


def stacked(output: str, array: Float[Array, "batch *axes"], readings: Sequence[Reading]) -> Float[Array, "rows width"]:
    """An output's rows in one matrix: one row per real token or [MASK], or per text the mean of its pieces.

    Args:
        output: name in ``OUTPUTS``.
        array: of a batch of all the pieces, one text's after the other's.
        readings: of the texts.

    >>> texts = [Reading([Piece([2, 7, 3]), Piece([2, 3])], 5), Reading([Piece([2, 3])], 2)]
    >>> stacked("tags", np.zeros((3, 3, 4)), texts).shape
    (7, 4)
    >>> stacked("logits", np.array([[1.0, 2], [3, 4], [5, 6]]), texts).tolist()
    [[2.0, 3.0], [5.0, 6.0]]
    """
    if OUTPUTS[output].by_token:
        return np.concatenate(rows(output, array, [piece for reading in readings for piece in reading.pieces]))
    counts = [len(reading.pieces) for reading in readings]
    firsts = np.cumsum([0, *counts[:-1]])
    return np.asarray(np.add.reduceat(array, firsts, axis=0) / np.array(counts, dtype=array.dtype)[:, None])
