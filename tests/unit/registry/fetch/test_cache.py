"""The cache: within its bound, the least recently used first, and never what a process uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bertline.bundle import Bundle
from bertline.errors import StoreError
from bertline.registry.fetch.cache import _USED, Cache
from tests.unit.registry.fetch.conftest import written

MEGABYTE = 10**6


def made(tmp_path: Path, letter: str) -> Bundle:
    return written(tmp_path / letter, files={"model.safetensors": letter.encode() * MEGABYTE})


def add(cache: Cache, bundle: Bundle, *, hold: bool = False) -> Path:
    path = cache.add(bundle.manifest, lambda staging: shutil.copytree(bundle.path, staging, dirs_exist_ok=True))
    if not hold:
        os.close(_USED.pop(path))  # as if the process that used it had ended
    return path


def test_a_bundle_is_used_and_the_least_recently_used_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", int(2.5 * MEGABYTE))
    first, other, third = (made(tmp_path, letter) for letter in "abc")
    paths = [add(cache, first), add(cache, other)]
    for path, used in zip(paths, (2_000, 1_000), strict=True):
        os.utime(path, (used, used))
    add(cache, third)
    assert cache.use(other.manifest.checksum) is None
    assert cache.use(first.manifest.checksum) == paths[0]
    assert sum(entry.bytes for entry in cache.entries()) < 2.5 * MEGABYTE


def test_a_bundle_in_use_stays_and_the_error_says_so(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", int(1.5 * MEGABYTE))
    path = add(cache, made(tmp_path, "a"), hold=True)
    with pytest.raises(StoreError, match=r"needs 1 MB of the cache .*, but running processes use 1 MB of its 2 MB"):
        add(cache, made(tmp_path, "b"))
    assert cache.clear() == []
    assert path.is_dir()
    os.close(_USED.pop(path))
    assert [entry.path for entry in cache.clear()] == [path]
    assert not path.exists()


def test_a_bundle_that_another_process_uses_stays_until_it_is_killed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10 * MEGABYTE)
    bundle = made(tmp_path, "a")
    path = add(cache, bundle)
    code = (
        "import sys, pathlib; from bertline.registry.fetch import Cache; "
        "print(Cache(pathlib.Path(sys.argv[1]), 10**7).use(sys.argv[2]), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "cache"), bundle.manifest.checksum]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        assert user.stdout.readline().strip() == str(path)
        assert [entry.is_held for entry in cache.entries()] == [True]
        assert cache.clear() == []
        user.kill()
    assert [entry.path for entry in cache.clear()] == [path]


def test_a_bundle_larger_than_the_cache_is_refused_before_a_byte_is_fetched(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1000)
    sentence = "the bundle reviews has 1 MB, but the cache"
    with pytest.raises(StoreError, match=re.escape(sentence)) as caught:
        cache.add(made(tmp_path, "a").manifest, lambda _: pytest.fail("fetched"))
    assert "raise BERTLINE_STORE_CACHE_BYTES, or use models pull --out" in str(caught.value)
    assert cache.entries() == []


def test_a_damaged_bundle_is_not_used_and_goes(tmp_path: Path) -> None:
    cache, bundle = Cache(tmp_path / "cache", 10 * MEGABYTE), made(tmp_path, "a")
    path = add(cache, bundle)
    (path / "model.safetensors").write_bytes(b"x" * MEGABYTE)
    assert cache.use(bundle.manifest.checksum) is None
    assert not path.exists()


def test_two_that_want_one_bundle_at_once_fetch_it_once(tmp_path: Path) -> None:
    cache, bundle = Cache(tmp_path / "cache", 10 * MEGABYTE), made(tmp_path, "a")
    began, go, fetched, paths = threading.Event(), threading.Event(), list[int](), list[Path]()

    def fill(staging: Path) -> None:
        began.set()
        assert go.wait(30)
        fetched.append(1)
        shutil.copytree(bundle.path, staging, dirs_exist_ok=True)

    threads = [threading.Thread(target=lambda: paths.append(cache.add(bundle.manifest, fill))) for _ in range(2)]
    threads[0].start()
    assert began.wait(30)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(30)
    assert fetched == [1]
    assert paths == [paths[0]] * 2
