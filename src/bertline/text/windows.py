"""Overlapping windows over a text that is too long for one piece.

Each window, including [CLS] and [SEP], is as long as the model allows. It overlaps the previous one, so that tokens at
the edge of one window are in the middle of the next. The last window ends with the text, and overlaps more instead of
being shorter.
"""

from __future__ import annotations

from collections.abc import Sequence

OVERLAP_RATIO = 0.25  # of a window


def windows(ids: Sequence[int], room: int) -> list[Sequence[int]]:
    """Overlapping slices of at most ``room`` ids that cover all of ``ids``; a single slice if they fit.

    Args:
        ids: of the text, without special tokens.
        room: number of the text's ids per window, at least 1.

    >>> windows([1, 2, 3, 4, 5, 6], room=4)
    [[1, 2, 3, 4], [3, 4, 5, 6]]
    >>> windows([1, 2], room=4)
    [[1, 2]]
    """
    if len(ids) <= room:
        return [ids]
    step = max(1, room - int(room * OVERLAP_RATIO))
    last = len(ids) - room
    return [ids[start : start + room] for start in [*range(0, last, step), last]]
