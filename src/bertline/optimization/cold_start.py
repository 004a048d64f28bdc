"""Time to the first answer of a fresh process, and its memory.

    python -m bertline.optimization.cold_start DIRECTORY FILE…

Loads a bundle's tokenizer and these ONNX files and answers one text: what a server does at its start, without torch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPETITIONS = 3  # of a start; the median is given
TEXT = "The first answer of a fresh process."


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds from the start of the interpreter to the answer, and resident memory at that moment."""

    seconds: float
    memory_mb: float


def measure_cold_start(directory: Path, files: list[Path], repetitions: int = REPETITIONS) -> ColdStart:
    """The median start of fresh processes."""
    starts = []
    for _ in range(repetitions):
        began = time.perf_counter()
        command = [sys.executable, "-m", "bertline.optimization.cold_start", str(directory), *map(str, files)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        starts.append(ColdStart(time.perf_counter() - began, float(json.loads(shown)["memory_mb"])))
    return sorted(starts, key=lambda start: start.seconds)[len(starts) // 2]


def _answer(directory: Path, files: list[Path]) -> None:
    from bertline.bundle.verify import read_manifest
    from bertline.data.batching import pad
    from bertline.inference.backend import head_output
    from bertline.inference.onnx_backend import OnnxBackend
    from bertline.text import Reader, Tokenizer, Truncation

    tokenizer = Tokenizer.from_bundle(directory)
    most = read_manifest(directory).max_tokens  # the network may have few positions
    (reading,) = Reader(tokenizer, Truncation(most)).read([TEXT])
    for file in files:
        backend = OnnxBackend(file, lanes=1)
        backend.compute(pad([reading.piece.ids], tokenizer.pad_id), head_output(backend))


def resident_mb() -> float:
    """Memory of this process that is in RAM, in MiB."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    _answer(Path(sys.argv[1]), [Path(file) for file in sys.argv[2:]])
    sys.stdout.write(json.dumps({"memory_mb": resident_mb()}) + "\n")
