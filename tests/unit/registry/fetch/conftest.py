from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.bundle import Bundle, Manifest, load, writing
from bertline.registry.fetch.address import Address, parse_address
from bertline.registry.fetch.folder import Folder
from bertline.registry.fetch.push import push_objects
from tests.bucket_server import Bucket, bucket_server

FILES = {
    "config.json": b'{"model_type": "bert"}\n',
    "model.safetensors": os.urandom(3 * 2**20),
    "report/r.html": b"<p>",
}


def written(target: Path, *, files: dict[str, bytes] | None = None, overwrite: bool = False) -> Bundle:
    """A bundle whose files are no real model: fetching does not look inside."""
    manifest = Manifest(
        name="reviews", labels=("negative", "positive"), max_tokens=256, truncation="head_tail", pooling="cls",
        temperature=1.25, created="2026-11-20T10:00:00Z",
    )  # fmt: skip
    with writing(target, manifest, overwrite=overwrite) as staging:
        for path, content in (FILES if files is None else files).items():
            (staging / path).parent.mkdir(exist_ok=True)
            (staging / path).write_bytes(content)
    return load(target)


def pushed(bundle: Bundle, address: Address, *, overwrite: bool = False) -> Address:
    """Push to a directory."""
    folder = Folder(Path(address.place))
    version = push_objects(bundle, address, folder, parallel=2, overwrite=overwrite, watch=lambda _, __: None)
    return address.pinned(version)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return written(tmp_path / "reviews")


@pytest.fixture
def shelf(bundle: Bundle, tmp_path: Path) -> Address:
    """A directory to which the bundle has been pushed."""
    address = parse_address(f"file:{tmp_path / 'shelf'}")
    pushed(bundle, address)
    return address


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket called ``models``, to which the environment gives access."""
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-shown")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with bucket_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def tag_file(version: str) -> bytes:
    return json.dumps({"version": version}).encode()
