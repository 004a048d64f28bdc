"""The protocol between the server and a worker: frames over a socket, with arrays as raw bytes.

    order   length · number · flags · length of the name in bytes · rows · tokens · padding's id
            | output's name · lengths int32[rows] · ids int32[tokens] · segments int32[tokens] if flagged
    reply   length · number · status · axes · seconds | sizes uint32[axes] · float32[sizes], or text in UTF-8
    ping    length 0, in both directions, to check that the other side is alive

Heads are little-endian and arrays are the machine's, which both sides are on; ``length`` counts what follows it.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.data.batching import Ragged
from bertline.encoder.outputs import OUTPUTS

_LENGTH = struct.Struct("<I")
_ORDER = struct.Struct("<IBBIII")
_REPLY = struct.Struct("<IBBf")
_ALONE, _SEGMENTS, _BEHIND = 1, 2, 4  # flags
_MOST_AXES = 1 + max(len(one.axes) for one in OUTPUTS.values())

PING = _LENGTH.pack(0)


class Status(IntEnum):
    """The outcome of an order."""

    READY = 0  # the worker can compute; the text is JSON (``Started``)
    DONE = 1
    FAILED = 2  # this batch cannot be computed; the text says why
    NO_MEMORY = 3  # a smaller batch may be


@dataclass(frozen=True, slots=True)
class Order:
    """Compute one output of a batch; ``alone``: no other one is in progress; ``behind``: all others go before it."""

    number: int
    output: str
    batch: Ragged
    alone: bool = False
    behind: bool = False

    def pack(self) -> bytes:
        """The frame."""
        batch, name = self.batch, self.output.encode()
        lengths = array("i", batch.lengths)
        flags = _ALONE * self.alone + _SEGMENTS * (batch.segments is not None) + _BEHIND * self.behind
        head = _ORDER.pack(self.number, flags, len(name), len(lengths), len(batch.ids), batch.pad_id)
        segments = b"" if batch.segments is None else batch.segments.tobytes()
        return _framed(b"".join((head, name, lengths.tobytes(), batch.ids.tobytes(), segments)))

    @classmethod
    def unpack(cls, frame: memoryview) -> Order:
        """The order in a frame without its length.

        Raises:
            ValueError: the frame is not as long as its head says.
        """
        number, flags, name_bytes, rows, tokens, pad_id = _ORDER.unpack_from(frame)
        start = _ORDER.size + name_bytes
        grids = 1 + bool(flags & _SEGMENTS)
        _require(frame, start + 4 * (rows + grids * tokens))
        numbers = array("i", bytes(frame[start:]))
        lengths, ids, segments = numbers[:rows], numbers[rows : rows + tokens], numbers[rows + tokens :]
        if sum(lengths) != tokens:
            raise ValueError(f"an order of {tokens:,} tokens whose texts have {sum(lengths):,}")
        batch = Ragged(ids, lengths, pad_id, segments if flags & _SEGMENTS else None)
        name = bytes(frame[_ORDER.size : start]).decode()
        return cls(number, name, batch, bool(flags & _ALONE), bool(flags & _BEHIND))


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of the order with that number, and the time that it took."""

    number: int
    status: Status
    values: Float[np.ndarray[Any, Any], "batch *axes"] | None = None
    text: str = ""
    seconds: float = 0.0

    def pack(self) -> bytes:
        """The frame."""
        if self.values is None:
            sizes, payload = (), self.text.encode("utf-8", "replace")
        else:
            sizes, payload = self.values.shape, self.values.astype("<f4").tobytes()
        head = _REPLY.pack(self.number, self.status, len(sizes), self.seconds)
        return _framed(head + struct.pack(f"<{len(sizes)}I", *sizes) + payload)

    @classmethod
    def unpack(cls, frame: memoryview) -> Reply:
        """The reply in a frame without its length.

        Raises:
            ValueError: the frame is not as long as its head says, or has more axes than any output.
        """
        number, code, axes, seconds = _REPLY.unpack_from(frame)
        status = Status(code)
        if status is not Status.DONE:
            return cls(number, status, None, bytes(frame[_REPLY.size :]).decode(), seconds)
        if axes > _MOST_AXES:
            raise ValueError(f"a reply of {axes} axes, and no output has more than {_MOST_AXES}")
        sizes = struct.unpack_from(f"<{axes}I", frame, _REPLY.size)
        start = _REPLY.size + 4 * axes
        _require(frame, start + 4 * math.prod(sizes))
        values = np.frombuffer(frame, "<f4", offset=start).reshape(sizes).copy()
        return cls(number, status, values, "", seconds)


class Frames:
    """Splits a stream of bytes into frames; an empty frame is a ping."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """The frames that are now complete, each without its length."""
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


def _require(frame: memoryview, expected_bytes: int) -> None:
    if len(frame) != expected_bytes:
        raise ValueError(f"a frame of {len(frame):,} bytes whose head says {expected_bytes:,}")
