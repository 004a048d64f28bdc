"""The build context of the image for training and batch work: it has torch, and no model.

One lock covers both builds of torch. What only the build for GPUs needs is split from it, because the build for
processors comes from an index of its own, with other files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from bertline import __version__
from bertline.deploy import wheel
from bertline.deploy.templates import fill, read
from bertline.destination import write_files

WHAT = "the build context"
GPU = "requirements.gpu.txt"
_OF_GPU = re.compile(r"torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+")
_REQUIREMENT = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)")


def write_context(directory: Path) -> None:
    """Write what the image is built from; existing files are replaced.

    Raises:
        DestinationError: the directory cannot be written to.
        UsageError: bertline is not installed.
    """
    write_files(files(), directory, WHAT)


def files() -> dict[str, str | bytes]:
    """The files by path."""
    texts = read("image/batch")
    locks = {name: split(text) for name, text in texts.items() if name.startswith("requirements")}
    of_gpu = locks["requirements.txt"][1]
    values = {"torch": _version(of_gpu, "torch"), "version": json.dumps(__version__)}
    return {
        **texts,
        **{name: general for name, (general, _) in locks.items()},
        GPU: of_gpu,
        "Dockerfile": fill(texts["Dockerfile"], values),
        wheel.NAME: wheel.pack(),
    }


def split(lock: str) -> tuple[str, str]:
    r"""A lock without torch and what only its build for GPUs needs, and those.

    >>> split("numpy==2.5.5 \\\n    --hash=sha256:1\ntorch==2.13.0 \\\n    --hash=sha256:2\n")
    ('numpy==2.5.5 \\\n    --hash=sha256:1\n', 'torch==2.13.0 \\\n    --hash=sha256:2\n')
    """
    parts: tuple[list[str], list[str]] = ([], [])
    into = parts[0]
    for line in lock.splitlines(keepends=True):
        if requirement := _REQUIREMENT.match(line):
            into = parts[bool(_OF_GPU.fullmatch(requirement["name"]))]
        into.append(line)
    return "".join(parts[0]), "".join(parts[1])


def _version(lock: str, name: str) -> str:
    return next(one["version"] for one in _REQUIREMENT.finditer(lock) if one["name"] == name)
