"""Measured times of one engine on one kind of machine, as the simulation reads them and as JSON keeps them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class Knot(BaseModel):
    """The median times of a batch of ``rows`` texts of ``tokens`` each, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: PositiveInt
    rows: PositiveInt
    one_s: PositiveFloat = Field(description="while other cores are idle")
    full_s: PositiveFloat = Field(description="while every core computes a batch")
    alone_s: PositiveFloat = Field(description="on all cores, as the only batch")


class ServiceTimes(BaseModel):
    """Everything that was measured of one engine on one machine.

    Attributes:
        engine: its name.
        processor: that it was measured on.
        cores: that the process could use.
        gpu: whether a GPU computes the batches, in ``lanes`` at a time; else each core is a lane.
        lanes: batches computed at a time.
        batch_tokens: maximum padded tokens of a batch, as the server would use them.
        knots: times of batches.
        spread: equally likely ratios of a time to its median, in ascending order.
        request_s: CPU time of the server's own thread per request.
        batch_s: CPU time of the server's own thread per batch.
        transit_s: the rest of the latency of a single request: sockets and wake-ups.
        memory_mb: resident memory of the server and its worker under load.
        start_s: from the start of the server until it is ready.
        load: mean number of other threads that wanted a core in the minute before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str
    processor: str = ""
    cores: PositiveInt
    gpu: bool = False
    lanes: PositiveInt = 1
    batch_tokens: PositiveInt
    knots: tuple[Knot, ...] = Field(min_length=1)
    spread: tuple[PositiveFloat, ...] = (1.0,)
    request_s: float = Field(0.0, ge=0)
    batch_s: float = Field(0.0, ge=0)
    transit_s: float = Field(0.0, ge=0)
    memory_mb: float = Field(0.0, ge=0)
    start_s: float = Field(0.0, ge=0)
    load: float = Field(0.0, ge=0)

    def seconds(self, rows: int, tokens: int, busy: float) -> float:
        """The median time of a batch on one core.

        Args:
            rows: texts in it.
            tokens: of the longest.
            busy: from 0, where other cores are idle, to 1, where all compute.
        """
        one, full, _ = self._at(rows, tokens)
        return one + busy * (full - one)

    def alone(self, rows: int, tokens: int) -> tuple[float, int]:
        """The median time of a batch that is alone, and the number of cores that compute it."""
        one, _, alone = self._at(rows, tokens)
        wide = self.cores > 1 and alone < 0.95 * one
        return (alone, self.cores) if wide else (one, 1)

    def _at(self, rows: int, tokens: int) -> tuple[float, float, float]:
        found = self._cache.get((rows, tokens))
        if found is None:
            each = [[self._by_rows(length, rows, kind) for length in self._lengths] for kind in range(3)]
            # Beyond the longest that was measured, a text takes as much more as it is longer.
            beyond = max(1.0, tokens / self._lengths[-1])
            values = [beyond * float(np.interp(tokens, self._lengths, times)) for times in each]
            found = self._cache[rows, tokens] = (values[0], values[1], values[2])
        return found

    def _by_rows(self, length: int, rows: int, kind: int) -> float:
        numbers, times = self._table[length]
        beyond = max(1.0, rows / numbers[-1])
        return beyond * float(np.interp(rows, numbers, times[kind]))

    @cached_property
    def _cache(self) -> dict[tuple[int, int], tuple[float, float, float]]:
        return {}

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({knot.tokens for knot in self.knots})

    @cached_property
    def _table(self) -> dict[int, tuple[list[int], list[list[float]]]]:
        """By length: the numbers of rows, and the times of each kind."""
        table = {}
        for length in self._lengths:
            some = sorted((knot for knot in self.knots if knot.tokens == length), key=lambda knot: knot.rows)
            kinds = [[getattr(knot, kind) for knot in some] for kind in ("one_s", "full_s", "alone_s")]
            table[length] = ([knot.rows for knot in some], kinds)
        return table
