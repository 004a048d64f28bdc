"""Estimated duration of a run: each kind of work is timed on a few rows and scaled up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bertline.bundle.engine import Precision
from bertline.data.batching import lay_out
from bertline.export.exporter import Recipe, export
from bertline.export.network import Network
from bertline.inference.backend import head_output
from bertline.inference.onnx_backend import OnnxBackend
from bertline.optimization.calibrate import observe_inputs
from bertline.optimization.candidates import SENSITIVITY_ROWS, EncodedRows
from bertline.optimization.cold_start import REPETITIONS, measure_cold_start
from bertline.optimization.measure import SINGLE_TEXTS, compute

ROWS = 64  # that the estimate is made from
BATCH_TOKENS = 512  # of an engine's batches
EIGHT_BITS = ("int8", "int8-mixed", "small")  # engines of each network
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Extent:
    """The amount of work on each network.

    Attributes:
        tuning: rows for calibration.
        read: rows that every engine answers once: tuning, test and unlabelled ones.
        timed: texts of a repetition.
        repetitions: of the timing.
    """

    tuning: int
    read: int
    timed: int
    repetitions: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """Seconds of each kind of work: to build an engine, per row that is observed, per row in bulk and alone, per start.

    ``row`` and ``alone`` are by precision.
    """

    build: float
    observed_row: float
    row: dict[Precision, float]
    alone: dict[Precision, float]
    start: float
    products: int

    def network(self, extent: Extent) -> float:
        """Seconds of all the work on one network: ranges, sensitivity, its engines, and their measuring.

        As if some products had to stay in fp32, which is known only afterwards.
        """
        tried = min(SENSITIVITY_ROWS, extent.tuning)
        # With one product in eight bits an engine is about as fast as with none.
        sensitivity = self.products * (self.build + tried * self.row["fp32"])
        engines = (1 + len(EIGHT_BITS)) * self.build + self.engine("fp32", extent)
        measured = len(EIGHT_BITS) * self.engine("int8", extent)
        return self.build + extent.tuning * self.observed_row + sensitivity + engines + measured

    def engine(self, precision: Precision, extent: Extent) -> float:
        """Seconds to measure one engine."""
        bulk = extent.read + SINGLE_TEXTS + extent.repetitions * extent.timed
        alone = extent.repetitions * min(SINGLE_TEXTS, extent.timed)
        return bulk * self.row[precision] + alone * self.alone[precision] + REPETITIONS * self.start


def measure_pieces(network: Network, rows: EncodedRows, bundle: Path, work: Path, lanes: int | None) -> Pieces:
    """Time each kind of work on a few rows.

    Args:
        network: whose engines would be built.
        rows: of the bundle.
        bundle: whose tokenizer a fresh process loads.
        work: where engines are built.
        lanes: batches computed at a time; None is one per core.
    """
    sample = rows.spread(ROWS)
    observing, observed = _timed(partial(observe_inputs, network, sample.batches()))
    recipes: dict[Precision, Recipe] = {
        "fp32": Recipe(pairs=sample.pairs),
        "int8": Recipe(observed=observed, small_table=True, pairs=sample.pairs),
    }
    build, row, alone = 0.0, {}, {}
    for precision, recipe in recipes.items():
        build, backend = _timed(partial(_built, work / f"{precision}.onnx", network, recipe, lanes))
        row[precision], alone[precision] = _paces(backend, sample)
    start = measure_cold_start(bundle, [work / "int8.onnx"], repetitions=1).seconds
    number = len(sample.readings)
    return Pieces(build, max(0.0, observing - build) / number, row, alone, start, len(observed))


def _built(file: Path, network: Network, recipe: Recipe, lanes: int | None) -> OnnxBackend:
    file.write_bytes(export(network, recipe))
    return OnnxBackend(file, lanes=lanes)


def _paces(backend: OnnxBackend, rows: EncodedRows) -> tuple[float, float]:
    """Seconds of a row in bulk, and of one alone."""

    def bulk() -> None:
        compute(backend, rows.readings, rows.pad_id, BATCH_TOKENS)

    def alone() -> None:
        for reading in rows.readings[:8]:
            backend.compute(lay_out(reading.pieces, rows.pad_id), head_output(backend), alone=True)

    seconds = []
    for work, number in ((bulk, len(rows.readings)), (alone, len(rows.readings[:8]))):
        work()  # the first time it also makes room
        seconds.append(_timed(work)[0] / number)
    return seconds[0], seconds[1]


def _timed(work: Callable[[], _T]) -> tuple[float, _T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result
