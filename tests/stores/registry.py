"""A real registry for the drill: Debian's docker-registry, on this machine alone, open or with a password."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest


@contextmanager
def registry(directory: Path, htpasswd: Path | None = None) -> Iterator[str]:
    """A registry of one's own; yields HOST:PORT."""
    if shutil.which("docker-registry") is None or shutil.which("skopeo") is None:
        pytest.skip("docker-registry and skopeo are not installed: tools/packages.sh --drill")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    auth = f"auth: {{htpasswd: {{realm: drill, path: {htpasswd}}}}}\n" if htpasswd else ""
    (directory / "registry.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory / 'blobs'}}}}}\nhttp: {{addr: '{host}'}}\n{auth}"
    )
    command = ["docker-registry", "serve", str(directory / "registry.yml")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + 60
        while not _answers(host):
            assert server.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        yield host
    finally:
        server.kill()
        server.wait(timeout=30)


def _answers(host: str) -> bool:
    try:
        return httpx.get(f"http://{host}/v2/").status_code in (200, 401)
    except httpx.TransportError:
        return False
