"""How many cores this process may use: what the scheduler allows, and what its container is limited to."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # control groups, version 2


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """At least 1. A container with half a core, on a machine of 64, has 1 and not 64."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota(cpu_max)))


def _quota(cpu_max: Path) -> int:
    """Cores that the control group may keep busy, rounded up; many if there is no limit."""
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()[:2]
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max" for no limit
        return 1 << 16
