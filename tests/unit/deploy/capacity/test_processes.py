"""CPU time and memory as Linux gives them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bertline.deploy.capacity.processes import check_proc, children, cpu_s, memory_mb
from bertline.errors import UsageError


def test_of_this_process() -> None:
    before_s, began_s = cpu_s(os.getpid()), time.thread_time()
    while time.thread_time() - began_s < 0.02:
        pass
    assert cpu_s(os.getpid()) - before_s >= 0.015  # the kernel writes it down at every tick
    assert memory_mb(os.getpid()) > 10


def test_of_its_children() -> None:
    child = os.posix_spawn("/bin/sleep", ["sleep", "30"], {})
    try:
        assert child in children(os.getpid())
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_system_without_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"plan reads CPU times from .*/self/schedstat, which is not there"):
        check_proc(tmp_path)
