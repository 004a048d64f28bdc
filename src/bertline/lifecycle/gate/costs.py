"""Does the challenger answer as fast as the champion on this machine, and take as little room?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertline.inference import TextClassifier
from bertline.lifecycle.gate.check import Check
from bertline.lifecycle.gate.rows import Contestant, Judged
from bertline.lifecycle.gate.settings import GateSettings
from bertline.optimization.cold_start import measure_cold_start
from bertline.statistics.paired import median_ratio
from bertline.text import Input

REPETITIONS = 5
WEIGHTS = "model.safetensors"
_LEAST_MS = 0.05  # differences below that are the clock's


def as_fast(judged: Judged, challenger: Contestant, champion: Contestant, settings: GateSettings) -> Check:
    """The ratio of the times of single texts, both models in turn on each text, with its 95 % interval."""
    step = max(1, len(judged.inputs) // settings.timed_texts)
    texts = judged.inputs[::step][: settings.timed_texts]
    own, other = times_ms(challenger.predictor, champion.predictor, texts)
    estimate = median_ratio(own, other)
    ratio, low, high, most = estimate.value, estimate.low, estimate.high, 1 + settings.max_slower
    said = (
        f"{np.median(own):.1f} ms for a text, the champion {np.median(other):.1f}: {ratio:.2f} times "
        f"({low:.2f} to {high:.2f}), at most {most:g} may be"
    )
    figures = {"challenger_ms": float(np.median(own)), "champion_ms": float(np.median(other)), "ratio": ratio}
    figures |= {"low": low, "high": high}
    if high <= most or np.median(own) - np.median(other) < _LEAST_MS:
        return Check("latency", "yes", said, figures)
    if low > most:
        return Check("latency", "no", said, figures)
    return Check("latency", "undecided", f"{said}; a quieter machine or more --timed-texts can tell", figures)


def times_ms(first: TextClassifier, second: TextClassifier, texts: Sequence[Input]) -> tuple[Any, Any]:
    """The median time of each text by each model, measured in turn."""
    for predictor in (first, second):
        predictor.predict(texts[:3])
    taken = np.zeros((2, REPETITIONS, len(texts)))
    for repetition in range(REPETITIONS):
        for place, text in enumerate(texts):
            order = (0, 1) if (repetition + place) % 2 else (1, 0)
            for which in order:
                began = time.perf_counter()
                (first, second)[which].predict([text])
                taken[which, repetition, place] = 1000 * (time.perf_counter() - began)
    own, other = np.median(taken, axis=1)
    return own, other


def as_small(challenger: Contestant, champion: Contestant, settings: GateSettings) -> Check:
    """Size of the engine's files, and memory of a fresh process that has answered."""
    contestants, most = (challenger, champion), 1 + settings.max_larger
    files = [engine_files(one) for one in contestants]
    sizes = [_megabytes(one.path, graphs) for one, graphs in zip(contestants, files, strict=True)]
    said, figures = f"{sizes[0]:.0f} MB on disk", {"megabytes": sizes}
    large = sizes[0] > most * sizes[1]
    if not all(files):
        said += f", the champion {sizes[1]:.0f}; memory is not compared, because PyTorch answers"
        return Check("size", "no" if large else "yes", said, figures)
    memory = [measure_cold_start(one.path, graphs, 1).memory_mb for one, graphs in zip(contestants, files, strict=True)]
    said += f" and {memory[0]:.0f} in memory, the champion {sizes[1]:.0f} and {memory[1]:.0f}"
    large = large or memory[0] > most * memory[1]
    return Check("size", "no" if large else "yes", said, {**figures, "memory_mb": memory})


def _megabytes(bundle: Path, graphs: Sequence[Path]) -> float:
    """Of the graphs; of the weights where PyTorch answers, which has no graph."""
    bytes_ = sum(_bytes(bundle, one) for one in graphs) if graphs else (bundle / WEIGHTS).stat().st_size
    return bytes_ / 1e6


def _bytes(bundle: Path, graph: Path) -> int:
    """Of a graph, and of the checkpoint's weights if it refers to them."""
    weights = bundle / WEIGHTS
    refers = WEIGHTS.encode() in graph.read_bytes()
    return graph.stat().st_size + (weights.stat().st_size if refers else 0)


def engine_files(one: Contestant) -> list[Path]:
    """The graphs of the engine that answers; of a cascade those of both parts, of PyTorch none."""
    engines = {engine.name: engine for engine in one.manifest.engines}
    chosen = engines.get(one.predictor.engine)
    names = () if chosen is None else chosen.parts or (chosen.name,)
    return [one.path / str(engines[name].file) for name in names]
