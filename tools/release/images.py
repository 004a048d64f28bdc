"""The images of a release: built by podman, one for each architecture, and put together under one name."""

from __future__ import annotations

import platform
import subprocess
import tempfile
from pathlib import Path

from bertline.deploy import batch_image, containers, image
from bertline.errors import BertlineError, UsageError
from tools.release.tagged import version_of

TARGETS = {"serve": "", "batch": "-batch"}  # and what their repositories' names end with
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build(
    root: Path,
    target: str,
    repository: str,
    *,
    base: str | None = None,
    builder: str | None = None,
    options: tuple[str, ...] = (),
    plain_http: bool = False,
) -> str:
    """Build an image for this machine's architecture and push it; its reference with the digest.

    Args:
        root: of the repository, whose bertline must be the one that is installed.
        target: ``serve``, without a model, or ``batch``.
        repository: registry and name, to which the target's ending is added.
        base: that it runs on; None: the Dockerfile's.
        builder: that it is built on.
        options: passed on to the build.
        plain_http: the registry has no TLS.

    Raises:
        BertlineError: podman failed.
        UsageError: bertline is not installed, or there is no image for this machine.
    """
    if (architecture := ARCHITECTURES.get(platform.machine())) is None:
        raise UsageError(f"there is no image for {platform.machine()}: build it on one of {', '.join(ARCHITECTURES)}")
    tag = f"{repository.lower()}{TARGETS[target]}:{version_of(root)}-{architecture}"
    with tempfile.TemporaryDirectory() as place:
        context = Path(place) / "context"
        if target == "batch":
            batch_image.write_context(context)
        else:
            image.write_without_model(context)
        containers.build("podman", context, tag, base=base, builder=builder, options=options)
    return _pushed("push", tag, plain_http)


def index(root: Path, target: str, repository: str, *, plain_http: bool = False, only: str = "") -> str:
    """Put the images of all architectures together under the version, and push that; its reference with the digest.

    Args:
        root: of the repository.
        target: as in ``build``.
        repository: as in ``build``.
        plain_http: the registry has no TLS.
        only: the one architecture that there is, for trials.

    Raises:
        BertlineError: podman failed, for example because one of the images is missing.
    """
    tag = f"{repository.lower()}{TARGETS[target]}:{version_of(root)}"
    subprocess.run(["podman", "manifest", "rm", tag], capture_output=True, check=False)  # of an earlier trial
    _run("podman", "manifest", "create", tag)
    for architecture in [only] if only else sorted(ARCHITECTURES.values()):
        _run("podman", "manifest", "add", *_tls(plain_http), tag, f"docker://{tag}-{architecture}")
    return _pushed("manifest push --all", tag, plain_http)


def _pushed(verb: str, tag: str, plain_http: bool) -> str:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "digest"
        _run("podman", *verb.split(), *_tls(plain_http), f"--digestfile={file}", tag, f"docker://{tag}")
        return f"{tag.rpartition(':')[0]}@{file.read_text().strip()}"


def _tls(plain_http: bool) -> list[str]:
    return ["--tls-verify=false"] if plain_http else []


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BertlineError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
