"""Whether PyTorch can use a GPU here, without importing it on machines without a driver."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

# Device files of NVIDIA's driver, or of WSL's. Not /proc/driver/nvidia: a container without a GPU shows the host's.
TRACES = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/dxg"))


def torch_sees_gpu(traces: Iterable[Path] = TRACES) -> bool:
    """Whether PyTorch is installed and detects a GPU.

    PyTorch is imported only if one of ``traces`` exists: the import takes seconds and some hundred megabytes, which a
    server without a GPU would waste at every start.
    """
    if not any(one.exists() for one in traces) or importlib.util.find_spec("torch") is None:
        return False
    try:
        return sees_gpu()
    except ModuleNotFoundError as error:  # a broken installation is reported where PyTorch is needed
        if (error.name or "").partition(".")[0] != "torch":
            raise
        return False


def sees_gpu() -> bool:
    """Whether PyTorch detects a usable GPU; imports PyTorch."""
    import torch

    return torch.cuda.is_available()
