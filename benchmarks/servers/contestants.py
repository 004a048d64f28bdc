"""Who is measured, and with which settings: one table.

Every setting of a contestant is tried in a short search and the best one is measured in full. The other servers'
settings are their documented ways to use two cores: one worker whose engine has two threads, or a worker per core, with
larger and smaller batches. A second setting of ours that deserves a row of its own is one more line of ``CONTESTANTS``
made with ``bertline``; the guarded and watched service beside the bare one is measured by ``serve_guarded.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import OWN
from benchmarks.servers import environments

ENGINE = "fp32"
CORES = 2
HERE = Path(__file__).parent
WORK = Path("build/benchmarks/serve/work")

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """What a command is made for."""

    python: Path
    bundle: Path
    port: int


@dataclass(frozen=True)
class Setting:
    """One way to run a server, in words and as options of its app."""

    title: str
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Contestant:
    """A server: how it is started, what is sent, where the label is in its answer.

    ``same_engine``: it computes with our engine, so that what it takes beyond that is its own overhead.
    """

    name: str
    title: str
    environment: str
    packages: tuple[str, ...]
    path: str
    command: Callable[[Place, Options], list[str]]
    body: Callable[[str], Any]
    label: Callable[[Any], str]
    settings: tuple[Setting, ...]
    same_engine: bool = True
    headers: Callable[[], str] = str  # further lines of a request's head; asked for before the server starts

    def request(self, text: str) -> str:
        """The content of a request."""
        return json.dumps(self.body(text), ensure_ascii=False)


def _text(text: str) -> Any:
    return {"text": text}


def _label(answer: Any) -> str:
    return str(answer["label"])


def _script(name: str) -> Callable[[Place, Options], list[str]]:
    return lambda place, options: [str(place.python), str((HERE / name).absolute())]


def bertline(name: str, title: str, *settings: Setting, headers: Callable[[], str] = str) -> Contestant:
    """Our own server; ``flags`` of a setting go to ``bertline serve``."""

    def command(place: Place, options: Options) -> list[str]:
        program = Path(sys.executable).with_name("bertline")
        return [str(program), "serve", str(place.bundle), "--port", str(place.port), *options["flags"]]

    return Contestant(
        name=name,
        title=title,
        environment=OWN,
        packages=("onnxruntime", "fastapi", "uvicorn"),
        path="/v1/predict",
        command=command,
        body=_text,
        label=lambda answer: _label(answer["predictions"][0]),
        settings=settings,
        headers=headers,
    )


def _bentoml(place: Place, options: Options) -> list[str]:
    program = ["-m", "bentoml", "serve", "app_bentoml:Classifier", "--working-dir", str(HERE.absolute())]
    return [str(place.python), *program, "--host", "127.0.0.1", "--port", str(place.port)]


def _infinity(place: Place, options: Options) -> list[str]:
    """Its onnx engine hands optimum 2 paths of files that only fit when the model is the current directory."""
    model, change = str(place.bundle), []
    if options["engine"] == "optimum":
        folder = (WORK / "infinity-onnx").absolute()
        if not folder.exists():
            script = str((HERE / "export_onnx.py").absolute())
            subprocess.run([str(place.python), script, str(place.bundle), str(folder)], check=True)
        model, change = ".", ["env", "-C", str(folder)]
    flags = [
        "--engine",
        options["engine"],
        "--dtype",
        "float32",
        "--device",
        "cpu",
        "--no-vector-disk-cache",
        *options["flags"],
    ]
    where = ["--host", "127.0.0.1", "--port", str(place.port), "--log-level", "warning"]
    program = str(place.python.with_name("infinity_emb"))
    return [*change, program, "v2", "--model-id", model, "--served-model-name", "model", *flags, *where]


def _batches(worker: str, batches: tuple[tuple[int, int, int, dict[str, Any]], ...]) -> tuple[Setting, ...]:
    """Settings from (workers, lanes of each, most texts of a batch, other options)."""
    return tuple(
        Setting(
            f"{workers} {worker}{'s' if workers > 1 else ''} × {lanes} thread{'s' if lanes > 1 else ''}, "
            f"batches of {most} at most, " + ", ".join(f"{name} {value:g}" for name, value in more.items()),
            {"workers": workers, "replicas": workers, "lanes": lanes, "max_batch": most, "cores": CORES, **more},
        )
        for workers, lanes, most, more in batches
    )


_FASTAPI = (
    Setting("as written: torch's default threads in each of 40 request threads", {"torch_threads": 0}),
    Setting("torch.set_num_threads(1)", {"torch_threads": 1}),
)
_LITSERVE = _batches(
    "worker", ((1, 2, 16, {"wait_s": 0.01}), (2, 1, 8, {"wait_s": 0.005}), (2, 1, 16, {"wait_s": 0.01}))
)
_BENTOML = _batches(
    "worker",
    (
        (1, 2, 32, {"max_latency_ms": 60_000}),  # its default
        (2, 1, 16, {"max_latency_ms": 60_000}),
        (1, 2, 32, {"max_latency_ms": 200}),
    ),
)
_RAY = _batches("replica", ((1, 2, 16, {"wait_s": 0.01}), (2, 1, 8, {"wait_s": 0.01}), (2, 1, 16, {"wait_s": 0.005})))
_INFINITY = (
    Setting("torch, compiled (its default), batches of 32", {"engine": "torch", "flags": []}),
    Setting("torch, not compiled, batches of 32", {"engine": "torch", "flags": ["--no-compile"]}),
    # Its warm-up text is longer than the model reads, and this engine does not truncate.
    Setting(
        "optimum (ONNX Runtime, O2), batches of 32",
        {"engine": "optimum", "flags": ["--no-model-warmup", "--onnx-disable-optimize"]},
    ),
)


CONTESTANTS: dict[str, Contestant] = {
    one.name: one
    for one in (
        bertline(
            "bertline", "**bertline**", Setting("defaults", {"flags": ["--engine", ENGINE, "--logs-level", "warning"]})
        ),
        Contestant(
            name="fastapi",
            title="FastAPI + transformers pipeline",
            environment=OWN,
            packages=("fastapi", "transformers", "torch"),
            path="/predict",
            command=_script("app_fastapi.py"),
            body=_text,
            label=_label,
            settings=_FASTAPI,
            same_engine=False,
        ),
        Contestant(
            name="litserve",
            title="LitServe",
            environment="litserve",
            packages=("litserve", "onnxruntime"),
            path="/predict",
            command=_script("app_litserve.py"),
            body=_text,
            label=_label,
            settings=_LITSERVE,
        ),
        Contestant(
            name="bentoml",
            title="BentoML",
            environment="bentoml",
            packages=("bentoml", "onnxruntime"),
            path="/predict",
            command=_bentoml,
            body=lambda text: {"texts": [text]},
            label=lambda answer: _label(answer[0]),
            settings=_BENTOML,
        ),
        Contestant(
            name="ray",
            title="Ray Serve",
            environment="ray",
            packages=("ray", "onnxruntime"),
            path="/predict",
            command=_script("app_ray.py"),
            body=_text,
            label=_label,
            settings=_RAY,
        ),
        Contestant(
            name="infinity",
            title="Infinity",
            environment="infinity",
            packages=("infinity-emb", "torch", "transformers", "optimum-onnx", "onnxruntime"),
            path="/classify",
            command=_infinity,
            body=lambda text: {"input": [text], "model": "model"},
            label=lambda answer: _label(max(answer["data"][0], key=lambda label: float(label["score"]))),
            settings=_INFINITY,
            same_engine=False,
        ),
    )
}


def prepare(contestant: Contestant) -> Path:
    """The interpreter of its environment, made if it is not there."""
    return environments.make(contestant.environment)
