"""Let training threads sleep instead of spin on a machine that is busy with other work.

The threads of an operator synchronise at its end, hundreds of times per batch. torch's libgomp lets early threads spin
for up to some milliseconds, which is fastest if each has its own core. If one of them has to wait for a core, the
others' spinning takes the time that it needs. Sleeping instead costs system calls.

Measured with two threads on two cores of a Xeon, a MiniLM in bf16, tokens/s (means of three to six alternating runs of
about ten seconds):

    ============================================  ======  ======
    other load                                    spin    sleep
    ============================================  ======  ======
    nothing                                       4,410   3,480
    one busy process                              1,560   2,680
    two other trainings of one thread each          350   2,410
    ============================================  ======  ======

Spinning for a tenth of the time (``GOMP_SPINCOUNT=30000``) gave 4,240, 1,960 and 810, a poor compromise. So threads
sleep only if the machine is busy when the command starts. Results do not change.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path

from bertline.machine.cores import usable_cores

SAMPLES, PAUSE_S = 5, 0.01  # a process that wakes up briefly is not in all of them
_WAIT_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def sleep_if_busy(
    environ: MutableMapping[str, str] = os.environ, *, read: Callable[[], str] | None = None, cores: int | None = None
) -> bool:
    """Let waiting threads sleep if the machine is busy; returns whether they will.

    This applies to this process and its children. Call it before torch is imported, because libgomp reads the
    environment once. If the environment already sets how threads wait, or the load is unknown, nothing changes.

    Args:
        environ: the environment to change.
        read: returns the content of ``/proc/loadavg``.
        cores: the machine's number of cores.
    """
    if any(name in environ for name in _WAIT_VARIABLES):
        return False
    own, all_cores = usable_cores(), cores or os.cpu_count() or 1
    for _ in range(SAMPLES):
        if _others(read or _loadavg) + own <= all_cores:
            return False
        time.sleep(PAUSE_S)
    environ["GOMP_SPINCOUNT"] = "0"
    return True


def _loadavg() -> str:
    return Path("/proc/loadavg").read_text(encoding="ascii")


def _others(read: Callable[[], str]) -> int:
    """Number of other threads that run or wait for a core now; 0 if unknown."""
    try:
        return int(read().split()[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return 0
