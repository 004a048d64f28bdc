"""The wheel of the installed bertline: it holds what is imported here."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from bertline.deploy import wheel

SOURCE = Path(wheel.__file__).parents[2]


@pytest.fixture(scope="module")
def packed() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(wheel.pack()))


def test_it_holds_every_file_of_the_package_and_the_command(packed: zipfile.ZipFile) -> None:
    files = [path for path in (SOURCE / "bertline").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(SOURCE).as_posix() for path in files} <= set(packed.namelist())
    [entries] = [name for name in packed.namelist() if name.endswith("entry_points.txt")]
    assert b"bertline = bertline.cli.main:main" in packed.read(entries)


def test_the_record_has_the_hash_and_the_size_of_every_file(packed: zipfile.ZipFile) -> None:
    [record] = [name for name in packed.namelist() if name.endswith("/RECORD")]
    rows = [line.rsplit(",", 2) for line in packed.read(record).decode().splitlines()]
    assert [path for path, _, _ in rows] == packed.namelist()
    for path, digest, size in rows[:-1]:
        content = packed.read(path)
        expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (digest, int(size)) == (f"sha256={expected}", len(content))
