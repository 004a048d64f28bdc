from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bertline.bundle.tree import CHUNK_BYTES, entries, record, require_plain, sha256
from bertline.errors import BundleError


def test_files_are_listed_by_posix_path_and_links_not_followed(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "file").write_text("x")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    assert list(entries(tmp_path)) == ["a", "b/c/file"]


def test_a_hash_spans_chunks(tmp_path: Path) -> None:
    content = os.urandom(1000) * (CHUNK_BYTES // 1000 + 1)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert record(tmp_path / "file").bytes == len(content) > CHUNK_BYTES


def test_a_pipe_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="pipe in reviews is not a plain file: remove it"):
        require_plain(entries(tmp_path)["pipe"], "pipe", "reviews")
