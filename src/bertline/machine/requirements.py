"""Check for the minimum processor before any library is imported.

The libraries are built for x86-64-v2 (SSE4.2 and POPCNT). On older processors, an illegal instruction ends the
process without a message.
"""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
NEEDED = ("ssse3", "sse4_1", "sse4_2", "popcnt")  # as Linux names them
_FIRST_CORE_BYTES = 1 << 13


def too_old(cpuinfo: Path | None = None) -> str | None:
    """The message about missing instructions; None if there are none or the kernel does not list them."""
    try:
        with (cpuinfo or CPUINFO).open("rb") as file:
            lines = file.read(_FIRST_CORE_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2].split() for line in lines if line.partition(":")[0].strip() == "flags"), None)
    missing = [] if flags is None else [one for one in NEEDED if one not in flags]
    if not missing:
        return None
    return (
        f"this processor has no {', '.join(missing)}, which numpy, PyTorch and onnxruntime need: use one with "
        "x86-64-v2 (2009 or later); for a virtual machine, choose a processor type such as host instead of "
        "kvm64 or qemu64"
    )
