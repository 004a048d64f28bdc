"""Attention as it is trained on a CPU: forward and backward pass of its own.

torch's fused kernel has no dropout on a CPU and a slow backward pass; its plain one draws dropout's mask one number at
a time and looks for rows without any token. This one reads the probabilities as few times as it can.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bertline.encoder.dropout import kept_bits, masked

Heads = Float[Tensor, "batch heads tokens width"]


def trained_attention(
    query: Heads, key: Heads, value: Heads, allowed: Bool[Tensor, "#batch #heads #tokens tokens"] | None, rate: float
) -> Heads:
    """``scaled_dot_product_attention`` with dropout at ``rate``; each token may attend to one token at least."""
    bias = None
    if allowed is not None:
        bias = torch.zeros(allowed.shape, dtype=query.dtype).masked_fill_(~allowed, torch.finfo(query.dtype).min)
    mixed: Tensor = _Attention.apply(query, key, value, bias, rate)  # type: ignore[no-untyped-call]
    return mixed


class _Attention(torch.autograd.Function):
    """Suffixes: N batch × heads, T tokens, D width of a head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, rate: float) -> Tensor:
        ctx.shape, ctx.scale, ctx.kept_scale = query.shape, 1 / math.sqrt(query.shape[-1]), 1 / (1 - rate)
        query_NTD = query.flatten(0, 1) * ctx.scale
        key_NTD, value_NTD = key.flatten(0, 1), value.flatten(0, 1)
        if rate:
            value_NTD = value_NTD * ctx.kept_scale
        scores_NTT = torch.bmm(query_NTD, key_NTD.mT)
        if bias is not None:
            scores_NTT.unflatten(0, query.shape[:2]).add_(bias)
        probabilities_NTT = scores_NTT.softmax(-1)
        kept_NTT = kept_bits(probabilities_NTT, rate) if rate else None
        ctx.save_for_backward(query_NTD, key_NTD, value_NTD, probabilities_NTT, kept_NTT)
        dropped_NTT = probabilities_NTT if kept_NTT is None else masked(probabilities_NTT, kept_NTT)
        return torch.bmm(dropped_NTT, value_NTD).view(ctx.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query_NTD, key_NTD, value_NTD, probabilities_NTT, kept_NTT = ctx.saved_tensors
        gradient_NTD = gradients[0].flatten(0, 1)
        dropped_NTT = probabilities_NTT if kept_NTT is None else masked(probabilities_NTT, kept_NTT)
        by_value = torch.bmm(dropped_NTT.mT, gradient_NTD)
        by_mixed_NTT = torch.bmm(gradient_NTD, value_NTD.mT)
        if kept_NTT is not None:
            by_value.mul_(ctx.kept_scale)
            by_mixed_NTT = masked(by_mixed_NTT, kept_NTT)
        by_scores_NTT = torch._softmax_backward_data(by_mixed_NTT, probabilities_NTT, -1, probabilities_NTT.dtype)
        by_query = torch.bmm(by_scores_NTT, key_NTD).mul_(ctx.scale)
        by_key = torch.bmm(by_scores_NTT.mT, query_NTD)
        return by_query.view(ctx.shape), by_key.view(ctx.shape), by_value.view(ctx.shape), None, None
