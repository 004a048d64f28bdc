"""Whether PyTorch could compute on a GPU here, asked without importing it where there is nothing to ask about."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

# What NVIDIA's driver puts up, or on Windows' Linux its stand-in. Not /proc/driver/nvidia: a container without a GPU
# shows its host's.
TRACES = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/dxg"))


def torch_sees_gpu(traces: Iterable[Path] = TRACES) -> bool:
    """Whether PyTorch is installed and sees a GPU.

    PyTorch is imported only where a driver has left ``traces``: the import takes seconds and some hundred megabytes,
    which a service on a machine without a GPU would spend at every start for an answer that is known.
    """
    if not any(one.exists() for one in traces) or importlib.util.find_spec("torch") is None:
        return False
    try:
        return sees_gpu()
    except ModuleNotFoundError as error:  # such an installation says so where PyTorch is asked for
        if (error.name or "").partition(".")[0] != "torch":
            raise
        return False


def sees_gpu() -> bool:
    """Whether PyTorch finds a GPU that it can compute on; imports it."""
    import torch

    return torch.cuda.is_available()
