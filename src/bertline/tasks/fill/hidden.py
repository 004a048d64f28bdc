"""Rows of a masked language model from plain texts: some tokens are hidden, and these are the truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from bertline.text.reading import Input, Piece, Reading

SHARE = 0.15  # of a text's tokens, as pre-training hides them (Devlin et al. 2019)
MOST = 4000  # their scores take 122 kB each with a vocabulary of 30,522
_AT_ONCE = 64  # texts

Read = Callable[[Sequence[Input]], list[Reading]]


def hidden(texts: Sequence[Input], read: Read, mask_id: int) -> tuple[list[Reading], list[list[int]]]:
    """Texts with ``SHARE`` of their tokens replaced by [MASK], in a random order, and the ids of these tokens.

    Texts without a token and with a [MASK] of their own are left out, and so are further ones after ``MOST`` hidden
    tokens. The same texts give the same rows.

    Args:
        texts: to choose from.
        read: reads texts with offsets. A token in two windows is hidden in both.
        mask_id: of [MASK].
    """
    rng, rows, truth, count = random.Random(0), list[Reading](), list[list[int]](), 0
    shuffled = rng.sample(texts, len(texts))
    for start in range(0, len(shuffled), _AT_ONCE):
        for reading in read(shuffled[start : start + _AT_ONCE]):
            ids = {place: id_ for piece in reading.pieces for place, id_ in _tokens(piece)}
            if not ids or any(piece.masked for piece in reading.pieces):
                continue
            places = sorted(rng.sample(sorted(ids), max(1, round(SHARE * len(ids)))))
            rows.append(replace(reading, pieces=[_masked(piece, {*places}, mask_id) for piece in reading.pieces]))
            truth.append([ids[place] for place in places])
            count += len(places)
        if count >= MOST:
            break
    return rows, truth


def _tokens(piece: Piece) -> list[tuple[int, int]]:
    """Place and id of each token that is not special."""
    return [(place, id_) for place, id_ in zip(piece.places or (), piece.ids, strict=True) if place >= 0]


def _masked(piece: Piece, places: set[int], mask_id: int) -> Piece:
    indices = [index for index, place in enumerate(piece.places or ()) if place in places]
    ids = [mask_id if index in {*indices} else id_ for index, id_ in enumerate(piece.ids)]
    return replace(piece, ids=ids, masked=indices)
