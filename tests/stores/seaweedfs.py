"""A real object store for the drill: SeaweedFS, which ``tools/seaweedfs.sh`` fetches, on this machine alone."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tools.stack import free_ports

BINARY = Path(__file__).parents[2] / "build" / "tools" / "seaweedfs" / "bin" / "weed"
OWNER = {"AWS_ACCESS_KEY_ID": "AKIAOWNER", "AWS_SECRET_ACCESS_KEY": "owner-secret"}
READER = {"AWS_ACCESS_KEY_ID": "AKIAREADER", "AWS_SECRET_ACCESS_KEY": "reader-secret"}


def _identity(name: str, keys: dict[str, str], actions: list[str]) -> dict[str, object]:
    pair = {"accessKey": keys["AWS_ACCESS_KEY_ID"], "secretKey": keys["AWS_SECRET_ACCESS_KEY"]}
    return {"name": name, "credentials": [pair], "actions": actions}


@contextmanager
def seaweedfs(directory: Path) -> Iterator[int]:
    """A server of one's own; yields the port of its S3 service."""
    if not BINARY.exists():
        pytest.skip("SeaweedFS is not installed: tools/seaweedfs.sh")
    identities = [
        _identity("owner", OWNER, ["Admin", "Read", "Write", "List", "Tagging"]),
        _identity("reader", READER, ["Read:models"]),
    ]
    (directory / "s3.json").write_text(json.dumps({"identities": identities}))
    ports = free_ports(4)
    names = ("s3.port", "master.port", "volume.port", "filer.port")
    flags = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    grpc = [f"-{name}.grpc={port}" for name, port in zip(names, free_ports(4), strict=True)]
    grpc += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # services that nobody uses here
    command = [str(BINARY), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-volume.max=40"]
    command += [f"-dir={directory}", f"-s3.config={directory / 's3.json'}", *flags, *grpc]
    with (directory / "weed.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    try:
        deadline_s = time.monotonic() + 120
        while not _answers(ports[0]):
            assert server.poll() is None, (directory / "weed.log").read_text()[-2000:]
            assert time.monotonic() < deadline_s
            time.sleep(0.2)
        yield ports[0]
    finally:
        server.kill()
        server.wait(timeout=30)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code in (200, 403)
    except httpx.TransportError:
        return False
