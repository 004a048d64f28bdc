"""The number of cores that this process may use: its CPU affinity and its container's limit."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # control groups, version 2


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """The number of cores, at least 1: a container with half a core on a machine with 64 has 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota(cpu_max)))


def _quota(cpu_max: Path) -> int:
    """The control group's limit in cores, rounded up; a very large number without a limit."""
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()[:2]
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max" for no limit
        return 1 << 16
