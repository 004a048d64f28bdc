"""Times of batches by length, number of texts and busy cores, measured with the server's own worker process.

A batch on one core is timed by the worker's CPU time, which includes unpacking the batch and sending the answer, and
which other work on the machine does not lengthen by taking the core away. Only a batch on several cores or on a GPU is
timed by the clock.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Literal

import numpy as np

from bertline.data.batching import Ragged
from bertline.deploy.capacity.processes import cpu_s
from bertline.deploy.capacity.sample import Sample
from bertline.deploy.capacity.service_times import Knot
from bertline.serving.costs import Costs
from bertline.serving.process import WorkerProcess
from bertline.text import Piece

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)  # of the tokens of a text, at which batches are timed
LEAST_ROUNDS, MOST_ROUNDS = 3, 60
SPREAD = 200  # equally likely ratios that are kept
BATCH_LIMIT_S = 60.0

Kind = Literal["one", "full", "alone"]


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """What was measured of one engine; the attributes are those of ``ServiceTimes``."""

    lanes: int
    batch_tokens: int
    knots: tuple[Knot, ...]
    spread: tuple[float, ...]


def measure_batches(bundle: Path, engine: str, sample: Sample, seconds: float, *, gpu: bool = False) -> BatchTimes:
    """Time batches in rounds, each in another order, for so many seconds.

    Raises:
        BundleError: the worker cannot start.
    """
    return asyncio.run(_measure(bundle, engine, sample, seconds, gpu))


@dataclass(frozen=True, slots=True)
class _Bench:
    """A worker, and what it is given."""

    worker: WorkerProcess
    lanes: int
    sample: Sample
    gpu: bool

    async def once(self, rows: int, tokens: int, kind: Kind, rng: random.Random) -> float:
        """Seconds of a batch, on each lane that computes it."""
        chosen = [rng.choice(pieces) for pieces in rng.choices(self.sample.pieces, k=rows)]
        batch = Ragged.of([_of_length(piece, tokens) for piece in chosen], self.sample.pad_id)
        together = self.lanes if kind == "full" else 1
        alone = kind == "alone" or self.lanes == 1
        spent_s = -cpu_s(self.worker.pid)
        replies = await asyncio.gather(
            *(self.worker.compute(self.sample.output, batch, alone=alone) for _ in range(together))
        )
        if self.gpu or kind == "alone":
            return max(reply.seconds for reply in replies)
        return (spent_s + cpu_s(self.worker.pid)) / together


async def _measure(bundle: Path, engine: str, sample: Sample, seconds: float, gpu: bool) -> BatchTimes:
    worker = WorkerProcess(
        bundle, engine=engine, lanes=None, timeout_s=BATCH_LIMIT_S, on_lost=lambda _: None, costs=Costs()
    )
    started = await worker.start()
    try:
        return await _time(_Bench(worker, started.lanes, sample, gpu), started.batch_tokens, seconds)
    finally:
        await worker.stop()


async def _time(bench: _Bench, batch_tokens: int, seconds: float) -> BatchTimes:
    sizes, lanes = _sizes(bench.sample, batch_tokens), bench.lanes
    kinds: tuple[Kind, ...] = ("one", "full", "alone") if lanes > 1 else ("one",)
    work = [(size, kind) for size in sizes for kind in kinds]
    rng = random.Random(0)
    taken: dict[tuple[tuple[int, int], Kind], list[float]] = {one: [] for one in work}
    for size, kind in work:  # the first time it also makes room
        await bench.once(*size, kind, rng)
    until_s = time.monotonic() + seconds
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.monotonic() > until_s:
            break
        rng.shuffle(work)
        for size, kind in work:
            taken[size, kind].append(await bench.once(*size, kind, rng))
    return _summary(taken, kinds, sizes, lanes, batch_tokens)


def _summary(
    taken: dict[tuple[tuple[int, int], Kind], list[float]],
    kinds: Sequence[Kind],
    sizes: Sequence[tuple[int, int]],
    lanes: int,
    batch_tokens: int,
) -> BatchTimes:
    median = {one: statistics.median(times) for one, times in taken.items()}
    ratios = sorted(chain.from_iterable([each / median[one] for each in times] for one, times in taken.items()))
    spread = np.quantile(ratios, (np.arange(SPREAD) + 0.5) / SPREAD)
    last = {kind: kind if kind in kinds else "one" for kind in ("one", "full", "alone")}
    knots = [
        Knot(
            tokens=size[1],
            rows=size[0],
            **{f"{kind}_s": median[size, of] for kind, of in last.items()},  # type: ignore[index]
        )
        for size in sizes
    ]
    return BatchTimes(lanes, batch_tokens, tuple(knots), tuple(map(float, spread)))


def _sizes(sample: Sample, batch_tokens: int) -> list[tuple[int, int]]:
    """Rows and tokens of the batches to time: one text, as many as fit, and between, at several lengths."""
    sizes = []
    for tokens in sorted({sample.tokens(share) for share in QUANTILES}):
        most = max(1, batch_tokens // tokens)
        sizes += [(rows, tokens) for rows in sorted({1, (1 + most) // 2, most})]
    return sizes


def _of_length(piece: Piece, tokens: int) -> Piece:
    """A piece of exactly this length: a shorter one is repeated, a longer one cut."""
    ids = list(islice(cycle(piece.ids), tokens))
    segments = None if piece.segments is None else [0] * (tokens // 2) + [1] * (tokens - tokens // 2)
    return Piece(ids, segments, masked=[tokens - 1] if piece.masked else ())
