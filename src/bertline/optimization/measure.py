"""What an engine is worth on this machine: agreement and accuracy on given rows, speed, size, memory, start-up."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bertline.data.batching import pad, plan
from bertline.encoder.outputs import rows
from bertline.inference.backend import Backend, head_output
from bertline.inference.lanes import each_batch
from bertline.optimization.cold_start import ColdStart
from bertline.statistics.paired import PairedDifference, compare
from bertline.text import Reading

SINGLE_TEXTS = 64

Logits = Float[np.ndarray[Any, Any], "rows labels"]
Truth = Int[np.ndarray[Any, Any], " rows"]


@dataclass(frozen=True, slots=True)
class Quality:
    """Accuracy, the paired difference to fp32 on the same rows, and the share of rows with the same label."""

    accuracy: float
    difference: PairedDifference
    agreement: float

    @property
    def drop_points(self) -> float:
        """Accuracy lost, in points; negative if the engine is better."""
        return 0 - 100 * self.difference.accuracy.value  # a product alone would make −0.0 of 0


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """Texts per second in bulk, and milliseconds for one text alone: median and 99 % quantile."""

    texts_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """Everything that was measured of one engine."""

    quality: Quality
    speed: EngineSpeed
    megabytes: float
    cold: ColdStart

    def to_json(self) -> dict[str, Any]:
        """The figures by name, for the manifest."""
        difference = self.quality.difference
        return {
            "accuracy": self.quality.accuracy,
            "accuracy_difference": difference.accuracy.to_json(),
            "p_value": difference.p_value,
            "agreement": self.quality.agreement,
            "texts_per_s": round(self.speed.texts_per_s, 1),
            "p50_ms": round(self.speed.p50_ms, 2),
            "p99_ms": round(self.speed.p99_ms, 2),
            "megabytes": round(self.megabytes, 1),
            "memory_mb": round(self.cold.memory_mb),
            "start_s": round(self.cold.seconds, 2),
        }


def compute(backend: Backend, readings: Sequence[Reading], pad_id: int, batch_tokens: int) -> Logits:
    """Logits of every text, or of every token, in their order, as scoring in bulk computes them."""
    pieces, output = [one.piece for one in readings], head_output(backend)
    lengths = [len(one.ids) for one in pieces]
    logits: list[Logits] = [np.empty((0, 0))] * len(pieces)

    def one(places: list[int]) -> None:
        some = [pieces[place] for place in places]
        batch = pad([piece.ids for piece in some], pad_id, [piece.segments for piece in some])
        each = rows(output, backend.compute(batch, output), [lengths[place] for place in places])
        for place, row in zip(places, each, strict=True):
            logits[place] = np.atleast_2d(row)

    each_batch(one, plan(lengths, batch_tokens), backend.lanes)
    return np.concatenate(logits)


def quality(logits: Logits, reference: Logits, truth: Truth) -> Quality:
    """Compare an engine with fp32 on the same rows; those without a label, which is negative then, do not count."""
    known = truth >= 0
    truth, label, expected = truth[known], logits.argmax(axis=1)[known], reference.argmax(axis=1)[known]
    right = label == truth
    return Quality(
        float(right.mean()), compare(right, expected == truth), float((label == expected).mean()) if len(truth) else 1.0
    )


def speeds(
    backends: Mapping[str, tuple[Backend, int]],
    readings: Sequence[Reading],
    pad_id: int,
    repetitions: int,
    seed: int = 0,
) -> dict[str, EngineSpeed]:
    """Time every back end on the same rows, side by side: each repetition takes them in another order.

    Args:
        backends: by name, each with its bound on the tokens of a batch.
        readings: what is computed in bulk; the first ``SINGLE_TEXTS`` also one by one.
        pad_id: for padding.
        repetitions: medians are over these.
        seed: of the order.
    """
    bulk: dict[str, list[float]] = {name: [] for name in backends}
    single: dict[str, list[float]] = {name: [] for name in backends}
    for backend, batch_tokens in backends.values():
        compute(backend, readings[:SINGLE_TEXTS], pad_id, batch_tokens)
    order, rng = list(backends), random.Random(seed)
    for _ in range(repetitions):
        rng.shuffle(order)
        for name in order:
            backend, batch_tokens = backends[name]
            began = time.perf_counter()
            compute(backend, readings, pad_id, batch_tokens)
            bulk[name].append(time.perf_counter() - began)
            for row in readings[:SINGLE_TEXTS]:
                began = time.perf_counter()
                backend.compute(pad([row.piece.ids], pad_id, [row.piece.segments]), head_output(backend), alone=True)
                single[name].append(1000 * (time.perf_counter() - began))
    return {
        name: EngineSpeed(
            len(readings) / statistics.median(bulk[name]),
            statistics.median(single[name]),
            float(np.quantile(single[name], 0.99)),
        )
        for name in backends
    }


def megabytes(files: Sequence[Path]) -> float:
    """Size on disk of the files that an engine needs."""
    return sum(file.stat().st_size for file in files) / 1e6
