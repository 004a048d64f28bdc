"""How the threads of a training wait for each other, on a machine where something else computes too.

The threads of an operator meet at its end, hundreds of times a batch. libgomp, which torch brings along, lets those
that are early spin, up to some milliseconds: the fastest way while each has a core of its own. Where one of them waits
for a core, the others spin away the time that it could have had. Threads that sleep instead cost system calls.

Measured with two threads on two cores of a Xeon, a MiniLM in bf16, tokens/s (means of three to six runs of about ten
seconds, by turns):

    ============================================  ======  ======
    beside it                                     spin    sleep
    ============================================  ======  ======
    nothing                                       4,410   3,480
    one busy process                              1,560   2,680
    two other trainings of one thread each          350   2,410
    ============================================  ======  ======

Spinning for a tenth of the time (``GOMP_SPINCOUNT=30000``) gave 4,240, 1,960 and 810: neither the one nor the other.
So they sleep only where something else computes when the command starts. No answer changes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path

from bertline.machine.cores import usable_cores

SAMPLES, PAUSE_S = 5, 0.01  # a process that only happens to wake up is not seen in all of them
_SAID = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def sleep_if_busy(
    environ: MutableMapping[str, str] = os.environ, *, read: Callable[[], str] | None = None, cores: int | None = None
) -> bool:
    """Let threads that wait sleep, if more wants to compute here than there are cores; returns whether they will.

    For this process and its children, and only before torch is imported: libgomp reads the environment once. Where
    the environment says already how threads wait, or nothing is known of the load, nothing is done.

    Args:
        environ: where it is said.
        read: gives the kernel's line of the load.
        cores: of the machine.
    """
    if any(name in environ for name in _SAID):
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
    """Threads besides this one that compute or wait for a core now; 0 where the kernel does not tell."""
    try:
        return int(read().split()[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return 0
