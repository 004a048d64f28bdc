"""CPU time and memory of processes, from Linux's ``/proc``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bertline.errors import UsageError

PROC = Path("/proc")


def check_proc(proc: Path = PROC) -> None:
    """Check that CPU times can be read.

    Raises:
        UsageError: this system has none.
    """
    if not (proc / "self" / "schedstat").is_file():
        raise UsageError(f"plan reads CPU times from {proc}/self/schedstat, which is not there: run it on Linux")


def cpu_s(pid: int, proc: Path = PROC) -> float:
    """CPU time of all running threads of a process, to the nanosecond."""
    total_ns = 0
    for thread in (proc / str(pid) / "task").iterdir():
        with suppress(OSError):  # it has ended
            total_ns += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    return total_ns / 1e9


def children(pid: int, proc: Path = PROC) -> list[int]:
    """The processes that a process has started."""
    found: list[int] = []
    for thread in (proc / str(pid) / "task").iterdir():
        with suppress(OSError):
            found += map(int, (thread / "children").read_text(encoding="ascii").split())
    return found


def memory_mb(pid: int, proc: Path = PROC) -> float:
    """Resident memory in MiB; pages that processes share count as a part in each."""
    lines = (proc / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
