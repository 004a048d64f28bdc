from __future__ import annotations

import os
from pathlib import Path

import pytest

from bertline.machine.cores import usable_cores

AFFINITY = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        ("max 100000", 1 << 16),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("6400000 100000", 64),
        ("broken", 1 << 16),
        ("", 1 << 16),
    ],
)
def test_a_container_has_the_cores_of_its_limit_rounded_up(tmp_path: Path, content: str, limit: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert usable_cores(tmp_path / "cpu.max") == min(AFFINITY, limit)


def test_without_a_control_group_the_scheduler_decides(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "absent") == AFFINITY
