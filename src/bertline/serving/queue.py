"""The queue of waiting texts: it selects the texts of the next batch. It has neither clock nor threads.

A text's *turn* is the time at which it would finish if its request had a fixed share of the machine (a virtual clock:
Zhang 1990). The earliest turn goes first. So the texts of a large request are spread out, and small requests go between
them; a short text goes before a long one that arrives with it; and no text starves, because later arrivals have later
turns.

A batch contains the text with the earliest turn and others of similar length, within bounds on padded tokens and on
padding.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bertline.text import Piece

SHARE = 0.25  # of the machine, assumed for each request
LONGEST_PADDING = 1.25  # maximum padded tokens per real token of a batch
NEIGHBOURS = (0, -1, 1, -2, 2, -3, 3)  # buckets that may share a batch, by distance

Sender = TypeVar("Sender")


@dataclass(slots=True, eq=False)
class Waiting(Generic[Sender]):
    """One text in the queue.

    Attributes:
        piece: the input of the network.
        turn_s: its turn (module docstring), on the caller's clock.
        deadline_s: after which its answer is useless, on the same clock.
        sender: the request that waits for the answer.
        place: index of this text in its request.
        arrived_s: when it was put in the queue.
        lost: how often a worker died while computing it.
        gone: nobody waits for it any more.
        queued: it is in the queue, neither computed nor dropped.
    """

    piece: Piece
    turn_s: float
    deadline_s: float
    sender: Sender
    place: int
    arrived_s: float
    lost: int = 0
    gone: bool = False
    queued: bool = False

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return len(self.piece.ids)


@dataclass(slots=True)
class Taken(Generic[Sender]):
    """A batch to compute, and texts whose deadline passed while they waited."""

    batch: list[Waiting[Sender]] = field(default_factory=list)
    late: list[Waiting[Sender]] = field(default_factory=list)


def turns(now_s: float, lengths: Iterable[int], tokens_per_s: float) -> Iterator[float]:
    """The turns of a request's texts.

    >>> list(turns(10.0, [50, 50], tokens_per_s=100.0))
    [12.0, 14.0]
    """
    turn_s = now_s
    for length in lengths:
        turn_s += length / (tokens_per_s * SHARE)
        yield turn_s


def bucket(tokens: int) -> int:
    """The bucket of a length: lengths in one bucket differ by less than an eighth, short ones by less than four tokens.

    >>> [bucket(one) for one in (4, 5, 32, 33, 36, 256)]
    [1, 2, 8, 9, 10, 32]
    """
    if tokens <= 32:
        return -(-tokens // 4)
    return 8 + math.ceil(8 * math.log2(tokens / 32))


class TokenQueue(Generic[Sender]):
    """Waiting texts, by length and turn."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[tuple[float, int, Waiting[Sender]]]] = {}
        self._put = 0
        self.tokens = 0
        self.texts = 0

    def __iter__(self) -> Iterator[Waiting[Sender]]:
        """The waiting texts, in no particular order."""
        return (text for heap in self._buckets.values() for _, _, text in heap if text.queued)

    def put(self, text: Waiting[Sender]) -> None:
        """Add a text; a text that is put back keeps its turn."""
        self._put += 1
        text.queued = True
        heapq.heappush(self._buckets.setdefault(bucket(text.tokens), []), (text.turn_s, self._put, text))
        self.tokens += text.tokens
        self.texts += 1

    def leave(self, text: Waiting[Sender]) -> None:
        """Mark a text as abandoned, whether or not it is in the queue."""
        text.gone = True
        if text.queued:
            self._out(text)

    def tokens_before(self, turn_s: float) -> int:
        """Tokens of the texts that would go before a new one with this turn."""
        return sum(text.tokens for text in self if text.turn_s <= turn_s)

    def take(self, max_padded_tokens: int, now_s: float) -> Taken[Sender]:
        """The next batch: the text with the earliest turn, whatever its length, and similar ones that fit."""
        taken: Taken[Sender] = Taken()
        first = self._next_bucket(now_s, taken.late)
        if first is None:
            return taken
        longest = real = 0
        for distance in NEIGHBOURS:
            heap = self._buckets.get(first + distance)
            while heap and self._settle(heap, now_s, taken.late):
                text = heap[0][2]
                rows, new_longest = len(taken.batch) + 1, max(longest, text.tokens)
                padded = rows * new_longest
                if taken.batch and (padded > max_padded_tokens or padded > LONGEST_PADDING * (real + text.tokens)):
                    break
                heapq.heappop(heap)
                self._out(text)
                taken.batch.append(text)
                longest, real = new_longest, real + text.tokens
        return taken

    def _next_bucket(self, now_s: float, late: list[Waiting[Sender]]) -> int | None:
        turn, found = math.inf, None
        for key in list(self._buckets):
            heap = self._buckets[key]
            if not self._settle(heap, now_s, late):
                del self._buckets[key]
            elif heap[0][0] < turn:
                turn, found = heap[0][0], key
        return found

    def _settle(
        self, heap: list[tuple[float, int, Waiting[Sender]]], now_s: float, late: list[Waiting[Sender]]
    ) -> bool:
        """Drop abandoned and late texts from the top; whether a text is left to compute."""
        while heap:
            text = heap[0][2]
            if text.queued:
                if text.deadline_s > now_s:
                    return True
                self._out(text)
                late.append(text)
            heapq.heappop(heap)
        return False

    def _out(self, text: Waiting[Sender]) -> None:
        text.queued = False
        self.tokens -= text.tokens
        self.texts -= 1
