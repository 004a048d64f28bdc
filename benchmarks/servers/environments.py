"""The environments that the other servers run in, one each under build/peers.

    python -m benchmarks.servers.environments

makes all of them. Those that run our engine get bertline itself without its requirements, editable, so that they answer
with the same code as our server; what that code imports is listed here. Only pip installs, and only by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.environments import ENVIRONMENTS, OWN, STAMP, TORCH

BERTLINE = "--editable ."
ENGINE = ("jaxtyping", "numpy", "onnxruntime==1.32.*", "pydantic", "tokenizers", BERTLINE)
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "http": ("granian==2.8.*", "hypercorn==0.18.*", "uvicorn[standard]==0.54.*"),
    "litserve": ("litserve==0.2.19", *ENGINE),
    "bentoml": ("bentoml==1.4.39", *ENGINE),
    "ray": ("ray[serve]==2.60.*", *ENGINE),
    "infinity": (
        *("infinity-emb[server,torch]==0.0.78", "optimum-onnx[onnxruntime]==0.1.*", "transformers==4.57.*", TORCH),
    ),
}


def python_of(name: str) -> Path:
    """The interpreter of an environment, whether it is there or not.

    Raises:
        KeyError: no environment has that name.
    """
    if name == OWN:
        return Path(sys.executable)
    if name not in REQUIREMENTS:
        raise KeyError(f"{name} is not an environment of the servers: there are {OWN}, {', '.join(REQUIREMENTS)}")
    return (ENVIRONMENTS / name / "bin" / "python").absolute()


def make(name: str) -> Path:
    """The interpreter of an environment, which is made if it is not there; pip's output goes to NAME.log beside it.

    Raises:
        RuntimeError: pip failed.
    """
    python, folder = python_of(name), ENVIRONMENTS / name
    if name == OWN or _is_made(name):
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"making {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    log = folder.with_suffix(".log")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    wanted = [one for one in REQUIREMENTS[name] if one != BERTLINE]
    commands = [[*pip, *wanted]]
    if BERTLINE in REQUIREMENTS[name]:
        commands.append([*pip, "--no-deps", *BERTLINE.split()])
    with log.open("w", encoding="utf-8") as output:
        for command in commands:
            if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode:
                raise RuntimeError(f"pip could not fill {folder}: its output is in {log}")
    (folder / STAMP).write_text(_stamp(name), encoding="utf-8")
    return python


def versions(name: str, packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of packages as they are installed in an environment."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    run = subprocess.run([str(python_of(name)), "-c", code, *packages], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(run.stdout)
    return found


def _is_made(name: str) -> bool:
    stamp = ENVIRONMENTS / name / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _stamp(name)


def _stamp(name: str) -> str:
    return "".join(f"{requirement}\n" for requirement in sorted(REQUIREMENTS[name]))


def main() -> None:
    """Make what is missing."""
    for name in REQUIREMENTS:
        print(f"{name}: {make(name)}")


if __name__ == "__main__":
    main()
