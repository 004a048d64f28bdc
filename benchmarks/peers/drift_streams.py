"""river's detectors, with their defaults, on the streams of ``benchmarks.drift``.

    python benchmarks/peers/drift_streams.py STREAMS.npy OUT.json

Streams are [stream, label], 1 for a wrong answer. Writes after how many labels of each stream each detector raised its
first alarm; null for none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Read each stream with each detector."""
    from river import drift

    detectors: dict[str, Callable[[], Any]] = {"ADWIN": drift.ADWIN, "DDM": drift.binary.DDM}
    streams, out = np.load(sys.argv[1]), Path(sys.argv[2])
    found = {name: [first(make(), stream.tolist()) for stream in streams] for name, make in detectors.items()}
    out.write_text(json.dumps(found))


def first(detector: Any, stream: list[int]) -> int | None:
    """The number of labels after which a detector raises its first alarm that accuracy fell; None for none.

    ADWIN also finds that accuracy rose. Such an alarm does not count: its window has fewer errors than the stream.
    """
    for number, wrong in enumerate(stream, 1):
        detector.update(wrong)
        if detector.drift_detected and getattr(detector, "estimation", 1.0) > sum(stream[:number]) / number:
            return number
    return None


if __name__ == "__main__":
    main()
