"""The driver's side of a peer: its process, its time limits, and what went wrong in its own words.

with Peer("onnxruntime-int8", checkpoint, work) as peer:
    peer.warm("rt", texts[:128])
    seconds, logits = peer.bulk(texts, name="rt")
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from benchmarks.peers import environments

WORKER = Path(__file__).with_name("worker.py")
MAX_TOKENS = 256
LINES_KEPT = 40
Array = np.ndarray[Any, Any]


class PeerError(RuntimeError):
    """A peer died, was late, or answered with an error."""


class PeerUnsupported(PeerError):
    """This machine lacks what the kind is about: leave its row out."""


class Kind(NamedTuple):
    """A row of the benchmark."""

    kind: str
    title: str
    environment: str
    is_exact: bool  # whether its logits have to be the checkpoint's, within fp32 rounding


def peer_kinds() -> tuple[Kind, ...]:
    """Every peer, the plainest first."""
    own = environments.OWN
    return (
        Kind("transformers", "transformers, batches of 32 as they come, eager attention, fp32", own, True),
        Kind("transformers-best", "transformers, sorted, sdpa, compiled where faster, fp32", own, True),
        Kind("transformers-bf16", "transformers, sorted, sdpa, compiled where faster, bf16", own, False),
        Kind("onnxruntime-fp32", "ONNX Runtime through optimum, O2, fp32", "optimum", True),
        Kind("onnxruntime-int8", "ONNX Runtime through optimum, O2, dynamic int8 per channel", "optimum", False),
        Kind("openvino-fp32", "OpenVINO, fp32", "openvino", True),
        Kind("openvino-bf16", "OpenVINO, bf16 (its default here)", "openvino", False),
        Kind("openvino-int8", "OpenVINO, NNCF int8", "openvino", False),
        Kind("ctranslate2-fp32", "CTranslate2, fp32", "ct2", True),
        Kind("ctranslate2-int8", "CTranslate2, int8", "ct2", False),
    )


@dataclass
class Peer:
    """One peer process, alive within ``with``.

    Raises:
        PeerUnsupported: on entry, when the machine lacks what the kind is about.
        PeerError: whenever the process dies, is late, or answers with an error.
    """

    kind: str
    checkpoint: Path
    work: Path
    threads: int = 2
    start_limit_s: float = 900.0  # the first start converts and quantises
    limit_s: float = 900.0
    _process: subprocess.Popen[str] | None = field(default=None, init=False, repr=False)
    _answers: queue.Queue[str | None] = field(default_factory=queue.Queue, init=False, repr=False)
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT), init=False, repr=False)
    _readers: list[threading.Thread] = field(default_factory=list, init=False, repr=False)

    def __enter__(self) -> Self:
        python = environments.make(_find(self.kind).environment)
        places = [str(self.checkpoint.absolute()), str(self.work.absolute())]
        self.work.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [str(python), str(WORKER), self.kind, *places, "--threads", str(self.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=_environment(self.threads, self.work),
        )
        self._answers, self._said = queue.Queue(), deque(maxlen=LINES_KEPT)
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_answers, self._read_said)]
        for reader in self._readers:
            reader.start()
        try:
            self._answer(self.start_limit_s)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self, name: str, texts: Sequence[str], max_tokens: int = MAX_TOKENS) -> dict[str, Any]:
        """Let the peer choose its plan for a data set: ``plan`` in words, ``seconds`` of every plan tried."""
        return self.ask({"do": "warm", "name": name, "texts": list(texts), "max_tokens": max_tokens})

    def bulk(self, texts: Sequence[str], name: str = "", max_tokens: int = MAX_TOKENS) -> tuple[float, Array]:
        """Seconds from texts to logits, and the logits [texts, labels] in the order of the texts."""
        found = self.ask({"do": "bulk", "name": name, "texts": list(texts), "max_tokens": max_tokens})
        return float(found["seconds"]), np.asarray(found["logits"])

    def single(self, texts: Sequence[str], max_tokens: int = MAX_TOKENS) -> list[float]:
        """Milliseconds of each text, run alone."""
        found: list[float] = self.ask({"do": "single", "texts": list(texts), "max_tokens": max_tokens})["milliseconds"]
        return found

    def about(self) -> dict[str, Any]:
        """``versions``, ``settings`` in words, ``resident_mb``."""
        return self.ask({"do": "about"})

    def ask(self, request: dict[str, Any], limit_s: float | None = None) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        if self._process is None or self._process.stdin is None:
            raise PeerError(f"{self.kind} is not running: use it within a with statement")
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error
        return self._answer(self.limit_s if limit_s is None else limit_s)

    def close(self) -> None:
        """End the process: the end of its stdin first, then by signal. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        for end in (_close_stdin, subprocess.Popen.terminate, subprocess.Popen.kill):
            end(process)
            try:
                process.wait(10)
                break
            except subprocess.TimeoutExpired:
                continue
        for reader in self._readers:
            reader.join(5)

    def _answer(self, limit_s: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=limit_s)
        except queue.Empty:
            self.close()
            raise PeerError(f"{self.kind} gave no answer within {limit_s:g} s and was ended{self._words()}") from None
        if line is None:
            raise self._died()
        found: dict[str, Any] = json.loads(line)
        if "unsupported" in found:
            raise PeerUnsupported(f"{self.kind} cannot run here: {found['unsupported']}")
        if "error" in found:
            raise PeerError(f"{self.kind} answered {found['error']}{self._words()}")
        return found

    def _died(self) -> PeerError:
        status = self._process.wait(10) if self._process else None
        for reader in self._readers:
            reader.join(5)
        return PeerError(f"{self.kind} ended with status {status}{self._words()}")

    def _words(self) -> str:
        return "".join(f"\n    {line}" for line in self._said)

    def _read_answers(self) -> None:
        if self._process and self._process.stdout:
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put(None)

    def _read_said(self) -> None:
        if self._process and self._process.stderr:
            self._said.extend(map(str.rstrip, self._process.stderr))


def _find(kind: str) -> Kind:
    for one in peer_kinds():
        if one.kind == kind:
            return one
    raise PeerError(f"{kind} is not a peer: there are {', '.join(one.kind for one in peer_kinds())}")


def _close_stdin(process: subprocess.Popen[str]) -> None:
    try:
        if process.stdin:
            process.stdin.close()
    except OSError:  # it died with a request unread
        pass


def _environment(threads: int, work: Path) -> dict[str, str]:
    """Ours, without what would lead to our packages, with the peer's share of the cores and no way to the hub."""
    ours = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return {
        **ours,
        **dict.fromkeys(pools, str(threads)),
        "TOKENIZERS_PARALLELISM": "true",  # without it transformers warns, and turns it off, after a fork
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TORCHINDUCTOR_CACHE_DIR": str((work / "inductor").absolute()),
        "CI": "true",  # OpenVINO's telemetry asks nothing in CI
        "NNCF_CI": "1",  # and NNCF sends none
    }
