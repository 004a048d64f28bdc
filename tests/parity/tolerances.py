"""How far our figures may be from those of transformers, in fp32 on a CPU: one table, from exact to loose.

Parameters of the random models are drawn wide (see ``peers``), so their states and probabilities are far from
uniform and these bounds mean something. Measured differences are at most half of the bounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCES = {
    "round trip": 0.0,  # a checkpoint written again: every bit
    "attentions": 5e-6,  # probabilities, at most 1
    "logits": 1e-5,
    "hidden states": 1e-5,
    "real weights": 1e-5,  # all-MiniLM-L6-v2: six layers of 384
    "gradients": 1e-5,  # relative to the largest entry of the same parameter's gradient
    "batch": 1e-5,  # one text alone, and among others
}


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest absolute difference of two tensors of one shape; 0.0 when they are bit-identical."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == torch.float32
    assert bool(ours.isfinite().all())
    return float((ours - theirs).detach().abs().max()) if ours.numel() else 0.0


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    """``difference`` over the largest entry (at least 1) of ``theirs``."""
    return difference(ours, theirs) / max(1.0, float(theirs.abs().max()))
