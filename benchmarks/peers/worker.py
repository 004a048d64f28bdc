"""One peer as a process: JSON lines in, JSON lines out. Runs as a script in the peer's environment, without bertline.

    python worker.py KIND CHECKPOINT WORK --threads 2

The first line is ``{"ready": KIND}``, ``{"unsupported": why}`` or ``{"error": why}``. One answer per request follows:

    {"do": "warm", "name": "rt", "texts": [...], "max_tokens": 256}    {"plan": "...", "seconds": {plan: s}}
    {"do": "bulk", "name": "rt", "texts": [...], "max_tokens": 256}    {"seconds": s, "logits": [[...]]}
    {"do": "single", "texts": [...], "max_tokens": 256}                {"milliseconds": [...]}
    {"do": "about"}                                                    {"versions", "settings", "resident_mb"}

The end of stdin ends it. A work directory belongs to one checkpoint: what was converted there is used again. Only the
protocol reaches stdout: file descriptor 1 is moved aside first, so that whatever a library prints, in Python or in C,
goes to stderr. Conversion and quantisation run in a process of their own, so that their memory is not counted as the
peer's.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import hashlib
import importlib
import json
import os
import subprocess
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from worker_batches import Unsupported

LIBRARIES = {  # kind: the file worker_LIBRARY.py, and the packages that its figures depend on
    "transformers": ("transformers", "torch transformers tokenizers"),
    "transformers-best": ("transformers", "torch transformers tokenizers"),
    "transformers-bf16": ("transformers", "torch transformers tokenizers"),
    "onnxruntime-fp32": ("onnxruntime", "optimum-onnx onnxruntime transformers tokenizers"),
    "onnxruntime-int8": ("onnxruntime", "optimum-onnx onnxruntime transformers tokenizers"),
    "openvino-fp32": ("openvino", "openvino transformers tokenizers"),
    "openvino-bf16": ("openvino", "openvino transformers tokenizers"),
    "openvino-int8": ("openvino", "openvino nncf transformers tokenizers"),
    "ctranslate2-fp32": ("ctranslate2", "ctranslate2 transformers tokenizers"),
    "ctranslate2-int8": ("ctranslate2", "ctranslate2 transformers tokenizers"),
}
MAX_TOKENS = 256


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("kind", choices=LIBRARIES)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prepare", action="store_true", help="only convert and quantise, into the work directory")
    return parser.parse_args()


def start(given: argparse.Namespace) -> Any:
    """The contestant, converted first where that is still to be done."""
    library = importlib.import_module(f"worker_{LIBRARIES[given.kind][0]}")
    _claim(given.work, given.checkpoint)
    if hasattr(library, "prepare") and not library.prepared(given.kind, given.work):
        command = [sys.executable, __file__, *sys.argv[1:], "--prepare"]
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
            raise RuntimeError(f"{given.kind} could not be prepared: its own message is above")
    return library.start(given.kind, given.checkpoint, given.work, given.threads)


def prepare(given: argparse.Namespace) -> None:
    """Convert and quantise."""
    library = importlib.import_module(f"worker_{LIBRARIES[given.kind][0]}")
    library.prepare(given.kind, given.checkpoint, given.work, given.threads)


def _claim(work: Path, checkpoint: Path) -> None:
    """Tie the work directory to the weights, so that no peer ever answers with those of another run."""
    with (checkpoint / "model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    claim = work / "checkpoint.sha256"
    work.mkdir(parents=True, exist_ok=True)
    if not claim.exists():
        claim.write_text(digest, encoding="utf-8")
    elif claim.read_text(encoding="utf-8") != digest:
        raise ValueError(
            f"{work} holds conversions of another checkpoint than {checkpoint}: name another, or remove it"
        )


def answer(contestant: Any, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """What the request asks for.

    Raises:
        ValueError: the verb is unknown.
    """
    texts, max_tokens = request.get("texts", []), request.get("max_tokens", MAX_TOKENS)
    match request["do"]:
        case "warm":
            found: dict[str, Any] = contestant.warm(request["name"], texts, max_tokens)
            return found
        case "bulk":
            seconds, logits = contestant.bulk(request.get("name", ""), texts, max_tokens)
            return {"seconds": seconds, "logits": logits}
        case "single":
            return {"milliseconds": contestant.single(texts, max_tokens)}
        case "about":
            contestant.settle()
            _give_back_memory()
            return {"versions": _versions(kind), "settings": contestant.settings, "resident_mb": _resident_mb()}
    raise ValueError(f"a worker knows warm, bulk, single and about, not {request['do']!r}")


def _versions(kind: str) -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in LIBRARIES[kind][1].split():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _give_back_memory() -> None:
    """What was freed: the C library keeps it for itself otherwise, and trials would count as the peer's memory."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def _say(protocol: TextIO, message: dict[str, Any]) -> None:
    protocol.write(json.dumps(message) + "\n")
    protocol.flush()


def serve(given: argparse.Namespace, protocol: TextIO) -> int:
    """Start, then answer until stdin ends; the exit status."""
    try:
        contestant = start(given)
    except Unsupported as why:
        _say(protocol, {"unsupported": str(why)})
        return 0
    except Exception as error:
        traceback.print_exc()
        _say(protocol, {"error": f"{type(error).__name__}: {error}"})
        return 1
    _say(protocol, {"ready": given.kind})
    for line in sys.stdin:
        try:
            _say(protocol, answer(contestant, given.kind, json.loads(line)))
        except Exception as error:
            traceback.print_exc()
            _say(protocol, {"error": f"{type(error).__name__}: {error}"})
    return 0


def main() -> int:
    """Run as a script."""
    given = arguments()
    if given.prepare:
        prepare(given)
        return 0
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as protocol:
        os.dup2(2, 1)
        return serve(given, protocol)


if __name__ == "__main__":
    sys.exit(main())
