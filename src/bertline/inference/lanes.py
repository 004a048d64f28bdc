"""Parallel batches: one thread per lane takes the next batch as soon as it is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

import numpy as np

from bertline.data.batching import lay_out, plan
from bertline.encoder.outputs import rows
from bertline.text import Reading
from bertline.text.reading import by_text

Work = TypeVar("Work")


def each_batch(compute: Callable[[Work], None], batches: Sequence[Work], lanes: int) -> None:
    """Call ``compute`` once for each of ``batches``, at most ``lanes`` at a time, the first ones first.

    Raises:
        Exception: the first exception of ``compute``; batches that have not begun are cancelled.
    """
    if lanes == 1 or len(batches) <= 1:
        for batch in batches:
            compute(batch)
        return
    with ThreadPoolExecutor(min(lanes, len(batches)), thread_name_prefix="lane") as pool:
        futures = [pool.submit(compute, batch) for batch in batches]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def compute_texts(
    compute: Callable[..., np.ndarray[Any, Any]],
    readings: Sequence[Reading],
    output: str,
    *,
    pad_id: int,
    batch_tokens: int,
    lanes: int,
) -> list[list[np.ndarray[Any, Any]]]:
    """One output of each piece of each text, without padding, computed in batches of similar lengths.

    Args:
        compute: as ``Backend.compute``.
        readings: of the texts.
        output: by its name in ``encoder.outputs``.
        pad_id: of the tokenizer.
        batch_tokens: bound on the padded tokens of a batch.
        lanes: batches computed at a time.
    """
    pieces = [piece for reading in readings for piece in reading.pieces]
    batches = plan([len(piece.ids) for piece in pieces], batch_tokens)
    arrays: list[np.ndarray[Any, Any]] = [np.empty(0)] * len(pieces)

    def compute_batch(places: list[int]) -> None:
        own = [pieces[place] for place in places]
        array = compute(lay_out(own, pad_id), output, alone=len(batches) == 1)
        for place, row in zip(places, rows(output, array, own), strict=True):
            arrays[place] = row

    each_batch(compute_batch, batches, lanes)
    return by_text(readings, arrays)
