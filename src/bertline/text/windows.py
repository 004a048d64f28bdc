"""Windows over a text that is too long to be read at once.

Each window is as long as the model reads, [CLS] and [SEP] included, and begins where the one before it ended, less an
overlap, so that what stands at the edge of one is in the middle of the next. The last one ends with the text: it
overlaps more rather than being short.
"""

from __future__ import annotations

from collections.abc import Sequence

OVERLAP_RATIO = 0.25  # of a window


def windows(ids: Sequence[int], room: int) -> list[Sequence[int]]:
    """Stretches of at most ``room`` ids that cover all of ``ids``; one stretch when they fit.

    Args:
        ids: of the text, without special tokens.
        room: ids of the text that a window holds, at least 1.

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
