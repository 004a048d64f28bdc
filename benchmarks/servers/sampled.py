"""A server of ours that counts where its CPU time goes: ``python -m benchmarks.servers.sampled OUT serve …``.

Each millisecond of CPU time, the innermost frame whose file is in the table names the part. Time in C (uvloop, the
tokenizer) is counted where Python goes on after it. Figures by part are shares, so the sampling's own cost is in all.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from bertline.cli.main import main

EVERY_S = 0.001
# By the end of a file's path or a folder in it; of several that fit a frame, the first.
PARTS = {
    "guard": ("/service/guard/", "/joserfc/"),
    "limits": ("/service/limits/",),
    "log": (
        "/monitoring/", "/prometheus_client/", "/opentelemetry/", "/structlog/", "/service/listeners/",
        "/service/exchange.py",
    ),
    "tokenise": ("/bertline/text/", "/serving/reader.py", "/serving/texts.py", "/concurrent/futures/"),
    "wire": ("/serving/wire.py", "/serving/process.py", "/serving/watch.py"),
    "schedule": ("/serving/", "/data/batching.py"),
    "answer": ("/service/routes/", "/pydantic/", "/statistics/", "/starlette/responses.py", "/service/problems.py"),
    "parse": (
        "/service/edge/http1/", "/uvicorn/", "/data/json_text.py", "/routes/json_body.py", "/json/",
        "/service/edge/body_limit.py",
    ),
    "framework": ("/fastapi/", "/starlette/", "/service/", "/contextlib.py"),
}  # fmt: skip


class Samples:
    """Counts by part, and by function for whoever looks for the cause."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.places: Counter[str] = Counter()

    def clear(self, number: int, frame: FrameType | None) -> None:
        """Begin again."""
        self.parts.clear()
        self.places.clear()

    def take(self, number: int, frame: FrameType | None) -> None:
        """One sample."""
        if frame is not None:
            code = frame.f_code
            self.places[f"{code.co_filename.rpartition('site-packages/')[2]}:{code.co_qualname}"] += 1
        while frame is not None:
            path = frame.f_code.co_filename
            part = next((name for name, ends in PARTS.items() if any(end in path for end in ends)), None)
            if part is not None:
                self.parts[part] += 1
                return
            frame = frame.f_back
        self.parts["loop"] += 1


def sampled(out: Path) -> None:
    """Run the command line, and write the counts when it ends."""
    samples = Samples()
    signal.signal(signal.SIGPROF, samples.take)
    signal.signal(signal.SIGUSR1, samples.clear)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        found = {"parts": samples.parts, "places": samples.places.most_common(60)}
        out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sampled(Path(sys.argv.pop(1)))
