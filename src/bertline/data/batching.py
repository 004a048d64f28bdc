"""The one layout of a batch, and the one function that decides which texts share one.

Texts of similar length are put together and a batch is bounded by its *padded* tokens (rows × longest row),
so the work per batch is even and little of it is padding. Training, offline scoring and the server all call
this.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from bertline.text import Piece

# Lengths within a training bucket differ by chance, not by rank: sorting a window of this many batches'
# worth of texts leaves the order of an epoch random (the batches a text can land in) and little padding:
# sorted texts pad a window by at most max_padded_tokens × ln(longest / shortest).
WINDOW_BATCHES = 32

Ids = Int[np.ndarray[Any, Any], "batch tokens"]
Attend = Bool[np.ndarray[Any, Any], "batch tokens"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids and, for each, whether it is real: ``attend`` is True on real tokens, False on padding.

    ``segments`` is 1 on the tokens of a pair's second text; None where no text of the batch is a pair.
    """

    ids: Ids
    attend: Attend
    segments: Ids | None = None


@dataclass(frozen=True, slots=True)
class Ragged:
    """A batch that is not laid out yet: the ids of its texts, one text's after the other's.

    Attributes:
        ids: of all texts.
        lengths: of each text, in tokens.
        pad_id: of the tokenizer.
        segments: as many as ids; None where no text is a pair.
    """

    ids: array[int]
    lengths: Sequence[int]
    pad_id: int
    segments: array[int] | None = None

    @classmethod
    def of(cls, pieces: Sequence[Piece], pad_id: int) -> Ragged:
        """Of the ids of pieces, with segments where one of them is of a pair."""
        return cls.of_ids([one.ids for one in pieces], pad_id, [one.segments for one in pieces])

    @classmethod
    def of_ids(
        cls, sequences: Sequence[Sequence[int]], pad_id: int, segments: Sequence[Sequence[int] | None] | None = None
    ) -> Ragged:
        """Of ids; for the arguments see ``pad``."""
        lengths = [len(one) for one in sequences]
        flat = None
        if segments is not None and any(one is not None for one in segments):
            each = zip(segments, lengths, strict=True)
            flat = array("i", chain.from_iterable([0] * length if one is None else one for one, length in each))
        return cls(array("i", chain.from_iterable(sequences)), lengths, pad_id, flat)

    @property
    def padded_tokens(self) -> int:
        """Of the batch: rows × longest row."""
        return len(self.lengths) * max(self.lengths, default=0)

    def lay_out(self) -> Batch:
        """Padded on the right to the longest."""
        lengths = np.array(self.lengths, dtype=np.int64)
        attend = np.arange(lengths.max(initial=0))[None, :] < lengths[:, None]
        ids = np.full(attend.shape, self.pad_id, dtype=np.int64)
        ids[attend] = self.ids
        if self.segments is None:
            return Batch(ids, attend)
        segments = np.zeros(attend.shape, dtype=np.int64)
        segments[attend] = self.segments
        return Batch(ids, attend, segments)


def pad(
    sequences: Sequence[Sequence[int]], pad_id: int, segments: Sequence[Sequence[int] | None] | None = None
) -> Batch:
    """Lay sequences of ids out as one batch, padded on the right to the longest.

    Args:
        sequences: ids of each text.
        pad_id: of the tokenizer.
        segments: of each text, as long as its ids; None for a text that is no pair, or for all of them.

    >>> pad([[5, 6, 7], [8]], pad_id=0).attend.tolist()
    [[True, True, True], [True, False, False]]
    """
    return Ragged.of_ids(sequences, pad_id, segments).lay_out()


def lay_out(pieces: Sequence[Piece], pad_id: int) -> Batch:
    """Pieces as one batch, with segments where one of them is of a pair."""
    return Ragged.of(pieces, pad_id).lay_out()


def plan(lengths: Sequence[int], max_padded_tokens: int, *, seed: int | None = None) -> list[list[int]]:
    """Which texts go into which batch: lists of indices into ``lengths``, each index once.

    Args:
        lengths: tokens of each text.
        max_padded_tokens: bound on rows × longest row; a single longer text is a batch of its own.
        seed: None sorts everything, longest first (offline scoring: the peak of memory comes first). A seed
            shuffles the texts, sorts them within windows of about ``WINDOW_BATCHES`` batches and shuffles the
            batches, so that an epoch is random and still hardly padded.

    >>> plan([3, 9, 3, 8], 18)
    [[1, 3], [0, 2]]
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if seed is None:
        return _cut(np.argsort(-sizes, kind="stable"), sizes, max_padded_tokens)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sizes))
    mean_tokens = max(1.0, float(sizes.mean())) if len(sizes) else 1.0
    window = max(1, int(WINDOW_BATCHES * max_padded_tokens / mean_tokens))
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        some = order[start : start + window]
        batches += _cut(some[np.argsort(-sizes[some], kind="stable")], sizes, max_padded_tokens)
    return [batches[i] for i in rng.permutation(len(batches))]


def _cut(order: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any], max_padded_tokens: int) -> list[list[int]]:
    batches: list[list[int]] = []
    start = 0
    while start < len(order):
        longest = max(1, int(sizes[order[start]]))  # the order is longest first
        rows = max(1, max_padded_tokens // longest)
        batches.append([int(i) for i in order[start : start + rows]])
        start += rows
    return batches
