"""Where training runs and in which precision."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from bertline.data.batching import Batch
from bertline.errors import TrainingError
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.settings import LoopSettings

PROBES = 8
PAYS = 1.2  # minimum speed-up before bf16 is chosen; on Zen 4 it is 2


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the precision of its matrix products; weights and optimizer state are always fp32.

    Attributes:
        device: to compute on.
        precision: of matrix products.
        processes: that train together, each on a device of its own.
    """

    device: torch.device
    precision: torch.dtype
    processes: int = 1

    @property
    def name(self) -> str:
        """In words: ``CPU, 2 threads, bf16``, or ``2 processes, CPU, 1 thread, bf16``."""
        kind = "bf16" if self.precision is torch.bfloat16 else "fp32"
        several = f"{self.processes} processes, " if self.processes > 1 else ""
        if self.device.type == "cuda":
            return f"{several}{torch.cuda.get_device_name(self.device)}, {kind}"
        threads = torch.get_num_threads()
        return f"{several}CPU, {threads} thread{'s' if threads > 1 else ''}, {kind}"

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Within: matrix products in ``precision``, and on a GPU the attention kernels that suit batches of all shapes.

        Enter it anew for each forward pass: autocast keeps the weights that it has rounded until it is left, so one
        context around several steps would compute with the weights of the first.
        """
        kernels = sdpa_kernel(list(_GPU_KERNELS)) if self.device.type == "cuda" else contextlib.nullcontext()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision is torch.bfloat16), kernels:
            yield


# Without cuDNN's: it prepares a plan for every shape of its inputs, and the batches of an epoch have many; and for
# texts this long it is no faster than flash attention (16 heads of 64, 576 tokens on an H100: 48 µs against 41, as
# sgl-project/sglang#30090 measured). With a mask, which flash attention cannot take, it was not measured.
_GPU_KERNELS = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)


def place(settings: LoopSettings, ranks: Ranks = ALONE) -> Placement:
    """Choose the device and precision by ``settings``; all ranks have the leader's precision.

    Raises:
        TrainingError: a GPU is required and torch sees none, or there are fewer GPUs than processes.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device is cuda, but torch sees no GPU: use --device cpu or install a CUDA build")
    use_gpu = settings.device != "cpu" and torch.cuda.is_available()
    if use_gpu and ranks.local >= (gpus := torch.cuda.device_count()):
        raise TrainingError(
            f"this machine has {gpus} GPU{'s' if gpus > 1 else ''}, one for each process, and this is process "
            f"{ranks.local + 1} on it: give at most --processes {gpus}, or --device cpu"
        )
    device = torch.device("cuda" if use_gpu else "cpu")
    fast = torch.cuda.is_bf16_supported() if use_gpu else _cpu_multiplies_bf16()
    bf16 = settings.precision == "bf16" or (settings.precision == "auto" and fast)
    return Placement(device, torch.bfloat16 if ranks.leaders(bf16) else torch.float32, ranks.world)


@cache
def _cpu_multiplies_bf16() -> bool:
    """Whether the CPU has bf16 instructions that multiply faster than fp32.

    Where a virtual machine hides AMX and leaves AVX512-BF16, products took 1.7 times as long as in fp32 (docs/log.md).
    """
    capabilities = torch.cpu.get_capabilities()
    if not any(capabilities.get(name) is True for name in ("avx512_bf16", "amx_bf16", "bf16")):
        return False
    return faster_in_bf16(_product_s)


def faster_in_bf16(product_s: Callable[[torch.dtype], float]) -> bool:
    """Whether a product is so much faster in bf16 that it pays for the rounding around it.

    The shortest of several times is what the machine can do. So a busy machine gives the same verdict, and a seed the
    same weights.

    Args:
        product_s: seconds of one product.
    """
    shortest_s = {torch.float32: math.inf, torch.bfloat16: math.inf}
    for _ in range(PROBES):
        for precision, so_far_s in shortest_s.items():
            shortest_s[precision] = min(so_far_s, product_s(precision))
    return PAYS * shortest_s[torch.bfloat16] < shortest_s[torch.float32]


def _product_s(precision: torch.dtype) -> float:
    """Seconds of a product of a small encoder's feed-forward network, by one thread: 4 ms at 150 GFLOP/s."""
    states, weight = torch.ones(512, 384, dtype=precision), torch.ones(384, 1536, dtype=precision)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several would wait for each other where something else computes, whatever the precision
    began_s = perf_counter()
    states @ weight
    spent_s = perf_counter() - began_s
    torch.set_num_threads(threads)
    return spent_s


class Inputs(NamedTuple):
    """A batch as a network takes it, [batch, tokens] each.

    Attributes:
        ids: of tokens.
        attend: True on real tokens; None where every token is real.
        segments: 1 in the second text of a pair; None where no text is a pair.
    """

    ids: Tensor
    attend: Tensor | None
    segments: Tensor | None


def to_device(batch: Batch, device: torch.device, *, reads_attend: bool = True) -> Inputs:
    """A batch as tensors on ``device``.

    Args:
        batch: of the host.
        device: to compute on.
        reads_attend: False lets ``attend`` be None for a batch without padding. Attention then has no mask, and a GPU
            can use its flash kernel. The check reads the host's array, because it would have to wait for a GPU's.
    """
    whole = not reads_attend and batch.attend.all()
    return Inputs(
        torch.from_numpy(batch.ids).to(device),
        None if whole else torch.from_numpy(batch.attend).to(device),
        None if batch.segments is None else torch.from_numpy(batch.segments).to(device),
    )
