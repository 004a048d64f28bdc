"""The environments that the peers run in: one per library, because their requirements contradict each other's and ours.

    python -m benchmarks.peers.environments

makes all of them under build/peers. Only pip installs, and only by name, so the configured index decides where packages
come from. A stamp with the requirements is written last: an environment without it, or with another list, is made anew.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path("build/peers")
OWN = "main"  # the environment that the driver itself runs in
STAMP = "bertline-requirements.txt"
TORCH = "torch==2.13.0"  # as in tools/venv.sh: every contestant starts from the same release
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "openvino": ("openvino==2026.4.*", "nncf==3.4.*", "tokenizers", "transformers", "onnx", TORCH),
    "ct2": (TORCH, "ctranslate2==4.8.*", "transformers"),
    "setfit": (TORCH, "setfit==1.2.*"),
    "river": ("river==0.26.*",),
    "evidently": ("evidently==0.7.*", "pandas<3"),  # it imports a function that pandas 3 does not have
    "nannyml": ("nannyml==0.13.*", "statsmodels"),  # which it imports, and does not name among its requirements
    "alibi": (TORCH, "alibi-detect[torch]==0.13.*"),  # Business Source License: not for production
    "optimum": (TORCH, "optimum-onnx[onnxruntime]==0.1.*", "transformers==4.57.*"),
}


def python_of(name: str) -> Path:
    """The interpreter of an environment, whether it is there or not.

    Raises:
        KeyError: no environment has that name.
    """
    if name == OWN:
        return Path(sys.executable)
    if name not in REQUIREMENTS:
        raise KeyError(f"{name} is not an environment of the benchmarks: there are {OWN}, {', '.join(REQUIREMENTS)}")
    return (ENVIRONMENTS / name / "bin" / "python").absolute()


def is_made(name: str) -> bool:
    """Whether the environment is complete and has today's requirements."""
    if name == OWN:
        return True
    stamp = ENVIRONMENTS / name / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _stamp(name)


def make(name: str) -> Path:
    """The interpreter of an environment, which is made if it is not there; pip's output goes to NAME.log beside it.

    Raises:
        RuntimeError: pip failed.
    """
    python = python_of(name)
    if is_made(name):
        return python
    folder = ENVIRONMENTS / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"making {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    log = folder.with_suffix(".log")
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *REQUIREMENTS[name]]
    with log.open("w", encoding="utf-8") as output:
        if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode:
            raise RuntimeError(f"pip could not fill {folder}: its output is in {log}")
    (folder / STAMP).write_text(_stamp(name), encoding="utf-8")
    return python


def _stamp(name: str) -> str:
    return "".join(f"{requirement}\n" for requirement in sorted(REQUIREMENTS[name]))


def main() -> None:
    """Make what is missing."""
    for name in REQUIREMENTS:
        print(f"{name}: {make(name)}")


if __name__ == "__main__":
    main()
