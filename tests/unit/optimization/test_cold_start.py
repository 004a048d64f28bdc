from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bertline.optimization.cold_start import measure_cold_start, resident_mb

PROBE = """
import runpy, sys
sys.modules["torch"] = None
sys.argv = ["cold", *sys.argv[1:]]
runpy.run_module("bertline.optimization.cold_start", run_name="__main__")
"""


def test_a_fresh_process_answers_and_reports_its_memory(original: Path) -> None:
    found = measure_cold_start(original, [original / "model.onnx"], repetitions=1)
    assert found.seconds > 0
    assert 20 < found.memory_mb < 2000, "an interpreter with onnxruntime, in MiB"


def test_it_needs_no_torch(original: Path) -> None:
    command = [sys.executable, "-c", PROBE, str(original), str(original / "model.onnx")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(shown).keys() == {"memory_mb"}


def test_memory_that_is_taken_is_seen() -> None:
    before = resident_mb()
    taken = bytearray(b"x" * 64 * 2**20)
    assert resident_mb() - before > 48
    del taken
