from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertline.lifecycle.gate import costs
from bertline.lifecycle.gate.settings import GateSettings
from bertline.optimization.cold_start import ColdStart


def contestant(folder: Path, weights: int, graph: int | None, memory: float = 0.0) -> Any:
    """A bundle whose files are so long; without a graph PyTorch answers."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(weights))
    engines = []
    if graph is not None:
        (folder / "model.onnx").write_bytes(bytes(graph))
        engines.append(SimpleNamespace(name="fp32", file="model.onnx", parts=()))
    engine = "fp32" if engines else "torch"
    return SimpleNamespace(
        path=folder, manifest=SimpleNamespace(engines=engines), predictor=SimpleNamespace(engine=engine), memory=memory
    )


@pytest.fixture(autouse=True)
def no_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = {"small": 100.0, "large": 300.0}
    monkeypatch.setattr(costs, "measure_cold_start", lambda path, *_: ColdStart(1.0, memory[path.name]))


def test_files_and_memory_are_compared(tmp_path: Path) -> None:
    small, large = contestant(tmp_path / "small", 0, 2_000_000), contestant(tmp_path / "large", 0, 2_200_000)
    assert costs.as_small(small, large, GateSettings()).decision == "yes"
    found = costs.as_small(large, small, GateSettings())
    assert (found.decision, found.sentence) == (
        "no",
        "2 MB on disk and 300 in memory, the champion 2 and 100",
    )


def test_where_pytorch_answers_its_weights_count_and_memory_does_not(tmp_path: Path) -> None:
    engine, torch = contestant(tmp_path / "small", 2_000_000, 1_000_000), contestant(tmp_path / "x", 2_000_000, None)
    found = costs.as_small(engine, torch, GateSettings())
    assert (found.decision, found.sentence) == (
        "yes",
        "1 MB on disk, the champion 2; memory is not compared, because PyTorch answers",
    )
    assert costs.as_small(torch, engine, GateSettings()).decision == "no"
