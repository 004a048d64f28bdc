"""Measurements of an engine on this machine: quality, speed, size, memory and start-up time."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.data.batching import lay_out
from bertline.encoder.outputs import OUTPUTS
from bertline.inference.backend import Backend, head_output
from bertline.inference.lanes import compute_texts
from bertline.optimization.cold_start import ColdStart
from bertline.statistics.activation import normalised, probabilities
from bertline.tasks.contract import Array, Comparison, TaskSpec, score_key
from bertline.tasks.embed.measure import direction_agreement
from bertline.tasks.measured import text_logits
from bertline.text import Reading

SINGLE_TEXTS = 64

Arrays = list[list[Array]]  # per text, the output for each of its pieces
SAME = 0.1  # numbers that differ by at most this share of fp32's standard deviation count as one answer


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """Texts per second in bulk, and milliseconds for one text alone: median and 99 % quantile."""

    texts_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """Everything that was measured of one engine; ``quality`` compares it with fp32 on the tuning rows."""

    quality: Comparison
    speed: EngineSpeed
    megabytes: float
    cold: ColdStart

    def to_json(self) -> dict[str, Any]:
        """The figures by name, for the manifest."""
        key = score_key(self.quality.score)
        return {
            **({} if key == "accuracy" else {"score": self.quality.score}),
            key: self.quality.value,
            f"{key}_difference": self.quality.difference.to_json(),
            "p_value": self.quality.p_value,
            "agreement": self.quality.agreement,
            "texts_per_s": round(self.speed.texts_per_s, 1),
            "p50_ms": round(self.speed.p50_ms, 2),
            "p99_ms": round(self.speed.p99_ms, 2),
            "megabytes": round(self.megabytes, 1),
            "memory_mb": round(self.cold.memory_mb),
            "start_s": round(self.cold.seconds, 2),
        }


def compute(backend: Backend, readings: Sequence[Reading], pad_id: int, batch_tokens: int) -> Arrays:
    """The output for each piece of each text, in their order, as scoring in bulk computes it."""
    output, lanes = head_output(backend), backend.lanes
    return compute_texts(backend.compute, readings, output, pad_id=pad_id, batch_tokens=batch_tokens, lanes=lanes)


def matrix(arrays: Arrays) -> Float[Array, "rows labels"]:
    """The arrays of all pieces, one below the other: a row per piece, or per token of each."""
    return np.concatenate([np.atleast_2d(piece) for pieces in arrays for piece in pieces])


def agreement(spec: TaskSpec, arrays: Arrays, reference: Arrays) -> float:
    """The share of texts, or of tokens where each has an output, with the same answer from both; no truth is needed.

    Of embeddings, the mean cosine of both of a text.
    """
    if spec.output == "embedding":
        return direction_agreement(normalised(matrix(arrays)), normalised(matrix(reference)))
    if OUTPUTS[spec.output].by_token:
        own, other = matrix(arrays), matrix(reference)
    else:
        own, other = (text_logits(some, len(spec.labels)) for some in (arrays, reference))
    if spec.activation == "softmax":
        return float((own.argmax(axis=1) == other.argmax(axis=1)).mean())
    if spec.activation == "none":
        return float((np.abs(own - other) <= SAME * other.std()).mean())
    cuts = getattr(spec, "cuts", 0.5)
    given, expected = (probabilities(logits, "sigmoid", spec.temperature) >= cuts for logits in (own, other))
    return float((given == expected).all(axis=1).mean())


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
                backend.compute(lay_out(row.pieces, pad_id), head_output(backend), alone=True)
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
