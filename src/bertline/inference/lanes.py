"""Batches side by side: one thread per lane takes the next batch as soon as it is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Work = TypeVar("Work")


def each_batch(compute: Callable[[Work], None], batches: Sequence[Work], lanes: int) -> None:
    """Call ``compute`` once for each of ``batches``, at most ``lanes`` at a time, the first ones first.

    Raises:
        Exception: what ``compute`` raised first; the batches that have not begun are then left out.
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
