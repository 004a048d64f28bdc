"""Operations: how many a pass of the encoder needs, and how many the chip makes in a second."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

import torch

from bertline.encoder.config import EncoderConfig

# Rows, inner and columns of products that are large enough to keep a data-centre GPU busy.
PRODUCTS = ((4096, 4096, 4096), (8192, 8192, 8192), (16384, 4096, 4096), (16384, 8192, 8192))
SMALL_PRODUCTS = ((256, 256, 256), (512, 256, 256))
_ROUNDS, _PER_ROUND = 10, 5
_TRAINING_PASSES = 3


def forward_flops(config: EncoderConfig, lengths: Iterable[int], labels: int) -> int:
    """Operations that a forward pass over texts of these lengths needs; a multiplication and its addition are two.

    For a text of t tokens, with h the hidden and f the feed-forward width: layers · (2·t·(4h² + 2hf) + 4·t²·h) +
    2·(h² + h·labels). In a layer, 4h² + 2hf are the parameters of its matrices (query, key, value and output; up and
    down) and 4·t²·h the two products of attention, QKᵀ and the mixing of V, over all heads; then comes the head, on one
    token. Embeddings, norms, softmax and activations are not counted, and neither is what is spent on padding: a
    batch that is padded reaches less of the chip.

    >>> forward_flops(EncoderConfig(), [128], labels=2) / 1e9  # BERT-base
    22.348434432
    """
    hidden, products = config.hidden, 4 * config.hidden**2 + 2 * config.hidden * config.feed_forward
    head = 2 * (hidden**2 + hidden * labels)
    return sum(config.layers * (2 * t * products + 4 * t**2 * hidden) + head for t in lengths)


def training_flops(config: EncoderConfig, lengths: Iterable[int], labels: int) -> int:
    """Operations of forward and backward pass: three times the forward pass.

    Each product is made once forward, and backward once for the gradient of either factor. The optimizer is not
    counted.
    """
    return _TRAINING_PASSES * forward_flops(config, lengths, labels)


def matrix_rate(device: torch.device, *, small: bool = False) -> float:
    """Operations per second of the fastest of a few large bf16 matrix products: what the chip can do here, today."""
    return max(_rate(device, *shape) for shape in (SMALL_PRODUCTS if small else PRODUCTS))


def _rate(device: torch.device, rows: int, inner: int, columns: int) -> float:
    left = torch.randn(rows, inner, device=device, dtype=torch.bfloat16)
    right = torch.randn(inner, columns, device=device, dtype=torch.bfloat16)
    out = torch.empty(rows, columns, device=device, dtype=torch.bfloat16)

    def products() -> None:
        for _ in range(_PER_ROUND):
            torch.mm(left, right, out=out)

    products()
    return (
        2 * rows * inner * columns * _PER_ROUND / statistics.median(seconds(products, device) for _ in range(_ROUNDS))
    )


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that ``work`` takes, from an idle device until the device is idle again."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Until the device has done all that it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
