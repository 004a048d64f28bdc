"""Which instructions this CPU has for products in eight bits."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
ADDS_IN_32_BITS = frozenset({"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"})  # as Linux names them


def adds_in_16_bits(cpuinfo: Path = CPUINFO) -> bool | None:
    """Whether onnxruntime adds pairs of eight-bit products in 16 bits here, which large weights overflow.

    It does on x86 without VNNI and AMX, by ``vpmaddubsw``, whose sums stop at 32,767: 255 · 127 · 2 is beyond that.
    None where the kernel does not tell: not Linux, or another kind of CPU.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2].split() for line in lines if line.partition(":")[0].strip() == "flags"), None)
    return None if flags is None else ADDS_IN_32_BITS.isdisjoint(flags)
