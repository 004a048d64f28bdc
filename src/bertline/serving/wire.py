"""What the server and the process that computes say to each other: frames over a socket, arrays as their bytes.

    order   length · number · op · alone · rows · columns | lengths int32[rows] · ids int32[rows, columns]
    reply   length · number · status · rows · columns · seconds | float32[rows, columns], or text in UTF-8

Everything is little-endian; ``length`` counts what follows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.data.batching import Batch

_LENGTH = struct.Struct("<I")
_ORDER = struct.Struct("<IBBII")
_REPLY = struct.Struct("<IBIIf")

EMPTY = Batch(np.empty((0, 0), np.int64), np.empty((0, 0), bool))


class Op(IntEnum):
    """What is asked of the process."""

    CLASSIFY = 0  # a row of logits per text
    EMBED = 1  # the mean of a text's states
    HIDDEN = 2  # every token's state, a text's one after the other
    PING = 3  # an answer at once, from the thread that receives


class Status(IntEnum):
    """What became of it."""

    READY = 0  # the process can compute; the text is JSON (``Started``)
    DONE = 1
    FAILED = 2  # this batch cannot be computed; the text says why
    NO_MEMORY = 3  # a smaller batch may be


@dataclass(frozen=True, slots=True)
class Order:
    """A batch to compute; ``alone``: no other one is being computed."""

    number: int
    op: Op
    batch: Batch
    alone: bool = False

    def pack(self) -> bytes:
        """The frame."""
        rows, columns = self.batch.ids.shape
        lengths = self.batch.attend.sum(axis=1, dtype="<i4")
        payload = lengths.tobytes() + self.batch.ids.astype("<i4").tobytes()
        return _framed(_ORDER.pack(self.number, self.op, self.alone, rows, columns) + payload)

    @classmethod
    def unpack(cls, frame: memoryview) -> Order:
        """The order in a frame, its length left off."""
        number, op, alone, rows, columns = _ORDER.unpack_from(frame)
        numbers = np.frombuffer(frame, "<i4", offset=_ORDER.size).astype(np.int64)
        attend = np.arange(columns)[None, :] < numbers[:rows, None]
        return cls(number, Op(op), Batch(numbers[rows:].reshape(rows, columns), attend), bool(alone))


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of the order of that number, and how long it was computed."""

    number: int
    status: Status
    values: Float[np.ndarray[Any, Any], "rows columns"] | None = None
    text: str = ""
    seconds: float = 0.0

    def pack(self) -> bytes:
        """The frame."""
        if self.values is None:
            rows, columns, payload = 0, 0, self.text.encode("utf-8", "replace")
        else:
            rows, columns = self.values.shape
            payload = self.values.astype("<f4").tobytes()
        return _framed(_REPLY.pack(self.number, self.status, rows, columns, self.seconds) + payload)

    @classmethod
    def unpack(cls, frame: memoryview) -> Reply:
        """The reply in a frame, its length left off."""
        number, code, rows, columns, seconds = _REPLY.unpack_from(frame)
        status, payload = Status(code), frame[_REPLY.size :]
        if status is not Status.DONE:
            return cls(number, status, None, bytes(payload).decode(), seconds)
        return cls(number, status, np.frombuffer(payload, "<f4").reshape(rows, columns).copy(), "", seconds)


class Frames:
    """Cuts a stream of bytes into frames, however it arrives."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """The frames that are whole now, each without its length."""
        self._received += data
        while len(self._received) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._received)[0]
            if len(self._received) < end:
                return
            frame = bytes(self._received[_LENGTH.size : end])
            del self._received[:end]
            yield memoryview(frame)


def _framed(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
