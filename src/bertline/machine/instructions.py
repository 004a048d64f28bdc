"""The processor's name and instructions: engines give the same answers on all, but at different speeds."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions for products of bytes, fastest first: their common name, and the flag that Linux shows.
_X86 = {
    "AMX": "amx_int8",
    "AVX512-VNNI": "avx512_vnni",
    "AVX-VNNI": "avx_vnni",
    "AVX-512 without VNNI": "avx512bw",
    "AVX2 without VNNI": "avx2",
}
_ARM = {"I8MM": "i8mm", "dot product": "asimddp"}


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's name and its best instructions for products of bytes.

    On Linux such as ``AMD EPYC (AVX512-VNNI)``; elsewhere the name that Python's ``platform`` gives.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    facts: dict[str, str] = {}
    for key, _, value in (line.partition(":") for line in lines):
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name") or platform.processor() or platform.machine()
    kind = _best(_X86, facts.get("flags"), "no AVX2") or _best(_ARM, facts.get("Features"), "no dot product")
    return f"{name} ({kind})" if kind else name


def _best(kinds: dict[str, str], flags: str | None, none: str) -> str | None:
    """The first kind among the flags, or ``none``; None if the kernel lists no flags for this architecture."""
    if flags is None:
        return None
    own = set(flags.split())
    return next((kind for kind, flag in kinds.items() if flag in own), none)
