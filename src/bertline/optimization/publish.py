"""The optimized bundle: its earlier files, the usable engines, their figures and probes."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from bertline.bundle import Bundle, Manifest
from bertline.bundle.compose import Parts, compose
from bertline.bundle.engine import Engine
from bertline.encoder.network import load_network
from bertline.export.exporter import FP32, write_embedding
from bertline.export.inside import write_attentions
from bertline.optimization.outcome import Optimized
from bertline.optimization.pick import cost
from bertline.optimization.report import write_report
from bertline.optimization.settings import OptimizeSettings
from bertline.tasks.contract import score_key


def publish(bundle: Bundle, optimized: Optimized, settings: OptimizeSettings) -> None:
    """Rewrite the bundle atomically: its earlier files, the usable engines, and the report."""
    names = _used(optimized, settings)
    engines = tuple(_recorded(optimized, name) for name in names)
    manifest = bundle.manifest.model_copy(update={"engines": engines})

    def engine_files(staging: Path) -> None:
        network = load_network(staging)
        write_embedding(staging, network, pairs=manifest.task.pairs)  # old bundles lack these
        write_attentions(staging, network, pairs=manifest.task.pairs)
        for name in names:
            engine = optimized.candidates[name].engine
            if engine.kind == "onnx" and engine.file != FP32.file:
                shutil.copy2(optimized.candidates[name].files[0], staging / str(engine.file))

    report = partial(write_report, optimized=optimized, bundle=bundle, settings=settings)
    parts = Parts(base=bundle, engines=[engine_files], probes=optimized.probes, report=report)
    compose(bundle.path, Manifest(**dict(manifest)), parts, overwrite=True)


def _used(optimized: Optimized, settings: OptimizeSettings) -> list[str]:
    """Engines to ship, the picked one first: those within the allowed drop, the parts of cascades, fp32."""
    within = [
        name
        for name, figures in optimized.measured.items()
        if name not in optimized.refused and figures.quality.drop_points <= settings.max_accuracy_drop + 1e-9
    ]
    ranked = sorted(within, key=lambda name: (name != optimized.picked, cost(optimized.measured[name], settings.goal)))
    parts = [part for name in ranked for part in optimized.candidates[name].engine.parts]
    return list(dict.fromkeys([*ranked, *parts, FP32.name]))


def _recorded(optimized: Optimized, name: str) -> Engine:
    figures = optimized.measured[name].to_json() | {
        "note": optimized.candidates[name].note,
        "processor": optimized.processor,
    }
    tested = optimized.reported[name]
    figures |= {f"test_{score_key(tested.score)}": tested.value, "test_difference": tested.difference.to_json()}
    return optimized.candidates[name].engine.model_copy(update={"measured": figures})
