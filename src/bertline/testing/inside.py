"""A made-up inside for the doubles, whose attentions follow from their queries and keys as a network's do."""

from __future__ import annotations

from typing import Any

import numpy as np

from bertline.data.batching import Batch

LAYERS, HEADS, WIDTH = 2, 2, 2  # the last is that of a head

Array = np.ndarray[Any, Any]


def inside_of(output: str, batch: Batch) -> Array:
    """One of the outputs that show the inside, other than ``scores``; the same for the same ids."""
    ids = batch.ids.astype(np.float64)
    if output == "pooled":
        return np.asarray(_waves(ids[:, :1], HEADS * WIDTH, 1)[:, 0].astype(np.float32))
    if output == "embeddings":
        tokens, positions = _waves(ids, HEADS * WIDTH, 1), _waves(np.arange(ids.shape[1]) + 0 * ids, HEADS * WIDTH, 2)
        summed = tokens + positions
        parts = [tokens, positions, 0 * summed, summed, summed - summed.mean(axis=-1, keepdims=True)]
        return np.stack(parts, axis=1).astype(np.float32)
    if output == "inner":
        return np.stack([_waves(ids, 8, layer + 3) for layer in range(LAYERS)], axis=1).astype(np.float32)
    layers, attentions = zip(*(_layer(ids, batch.attend, layer) for layer in range(LAYERS)), strict=True)
    return np.stack(layers if output == "layers" else attentions, axis=1).astype(np.float32)


def _layer(ids: Array, attend: Array, layer: int) -> tuple[Array, Array]:
    """The parts of a layer, [batch, 7, tokens, hidden], and its attentions, [batch, head, tokens, tokens]."""
    states, query, key, value, attended, output = (_waves(ids, HEADS * WIDTH, 7 * layer + i) for i in range(6))
    by_head = [one.reshape(*ids.shape, HEADS, WIDTH).transpose(0, 2, 1, 3) for one in (query, key, value)]
    scores = by_head[0] @ by_head[1].transpose(0, 1, 3, 2) / np.sqrt(WIDTH)
    powers = np.exp(scores) * attend[:, None, None]
    attention = powers / powers.sum(axis=-1, keepdims=True)
    joined = (attention @ by_head[2]).transpose(0, 2, 1, 3).reshape(states.shape)
    return np.stack([states, query, key, value, joined, attended, output], axis=1), attention


def _waves(numbers: Array, width: int, seed: int) -> Array:
    """A vector for each number, which differ from each other."""
    return np.asarray(np.sin(numbers[..., None] * (1 + np.arange(width)) + seed))
