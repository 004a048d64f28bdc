"""Builds an image with the container tool that this machine has: Docker, Podman or Buildah."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertline.errors import BertlineError, UsageError

TOOLS = ("docker", "podman", "buildah")
# Podman and Buildah: every time in the image is 0. Docker's format would hold the id of the container of the build.
_REPRODUCIBLE = ("--timestamp", "0", "--format", "oci")
_QUICK_S = 20.0  # for questions to a tool


@dataclass(frozen=True)
class Image:
    """A built image: its id, the digest of its configuration (sha256:…), and its size with its base."""

    tag: str
    id: str
    size_bytes: int


def find_tool() -> str:
    """The first tool that works; the client of Docker alone, without its daemon, does not.

    Raises:
        UsageError: there is none.
    """
    for tool in TOOLS:
        if shutil.which(tool) and (tool != "docker" or _answers(["docker", "info"])):
            return tool
    raise UsageError(
        "no container tool works here: install Docker, Podman or Buildah, or omit --build and build the context "
        "on another machine"
    )


def build(
    tool: str,
    context: Path,
    tag: str,
    *,
    base: str | None = None,
    builder: str | None = None,
    options: Sequence[str] = (),
) -> Image:
    """Build the image; the tool's own output goes to the terminal.

    Args:
        tool: one of ``TOOLS``.
        context: from ``write_context``.
        tag: name of the image.
        base: that it runs on; None: the Dockerfile's.
        builder: that it is built on; None: the base, or the Dockerfile's.
        options: passed on to the tool's ``build``.

    Raises:
        BertlineError: the tool failed.
    """
    command = [tool, "build", "--tag", tag, *(() if tool == "docker" else _REPRODUCIBLE)]
    bases = {"BASE": base, "BUILDER": builder or base}
    command += [f"--build-arg={name}={image}" for name, image in bases.items() if image]
    if subprocess.run([*command, *options, str(context)], check=False).returncode:
        raise BertlineError(f"{tool} could not build {context}: its last lines above say why")
    inspect = ["buildah", "images", "--json", tag] if tool == "buildah" else [tool, "image", "inspect", tag]
    answer = subprocess.run(inspect, check=True, capture_output=True, timeout=_QUICK_S).stdout
    known: dict[str, str | int] = {key.lower(): value for key, value in json.loads(answer)[0].items()}
    return Image(tag, f"sha256:{str(known['id']).removeprefix('sha256:')}", _bytes(known["size"]))


def _answers(command: list[str]) -> bool:
    try:
        return not subprocess.run(command, check=False, capture_output=True, timeout=_QUICK_S).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _bytes(size: int | str) -> int:
    """Buildah gives a size for people.

    >>> _bytes("355 MB"), _bytes(1234)
    (355000000, 1234)
    """
    if isinstance(size, int):
        return size
    number, unit = size.split()
    return round(float(number) * 1000.0 ** ("B", "KB", "MB", "GB").index(unit.upper()))
