"""What the figures were measured on, in one line."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import torch


def kind() -> str:
    """Of processor, for pages that keep what several were measured to do: AMX multiplies eight bits tenfold."""
    return "with AMX" if torch.cpu.get_capabilities().get("amx_int8") else "without AMX"


def describe() -> str:
    """Processor, cores used, memory and the versions that matter."""
    if torch.cuda.is_available():
        chip = torch.cuda.get_device_name()
    else:
        info = Path("/proc/cpuinfo")
        lines = info.read_text().splitlines() if info.exists() else []
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        chip = f"{named[0] if named else platform.processor()}, {torch.get_num_threads()} threads"
    extensions = [name for name in ("avx512_bf16", "amx_bf16", "avx512_vnni") if torch.cpu.get_capabilities().get(name)]
    return (
        f"{chip} ({', '.join(extensions) or 'no bf16 or VNNI instructions'}), Python {platform.python_version()}, "
        f"torch {version('torch')}, transformers {version('transformers')}"
    )
