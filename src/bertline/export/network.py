"""A network as arrays with their checkpoint names, for the exporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bertline.encoder.config import EncoderConfig
from bertline.encoder.embedder import Embedder, embedder_table
from bertline.encoder.encoder import Layer
from bertline.encoder.keys import classifier_table, to_checkpoint
from bertline.encoder.masked import MaskedLanguageModel, masked_table
from bertline.encoder.network import AnyNetwork

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Network:
    """Shape, pooling and weights of a classifier, a masked language model or an embedder.

    ``tensors`` has the arrays by checkpoint name; ``table`` maps our parameter names to these. Pruned attention heads
    are removed from the projections, which then have names of their own. ``output`` is the head's, in
    ``encoder.outputs``. ``mask_id`` is a masked language model's
    [MASK].
    """

    config: EncoderConfig
    pooling: str
    tensors: Mapping[str, Array]
    table: Mapping[str, tuple[str, ...]]
    output: str
    mask_id: int | None = None

    @classmethod
    def of(cls, model: AnyNetwork, *, pruned: bool = True) -> Network:
        """The weights of a network in PyTorch, copied to the CPU in fp32; without ``pruned``, with idle heads too."""
        mask_id = None
        if isinstance(model, MaskedLanguageModel):
            table, mask_id = dict(masked_table(model.config)), model.mask_id
        elif isinstance(model, Embedder):
            table = dict(embedder_table(model.config, model.pooling))
        else:
            table = dict(classifier_table(model.config, pooling=model.pooling))
        state = to_checkpoint(model.state_dict(), table)
        tensors = {name: tensor.float().numpy() for name, tensor in state.items()}
        if mask_id is not None:  # the output matrix is the table of embeddings
            embeddings = table["encoder.embeddings.token.weight"]
            table |= {"head.out.weight": embeddings, "head.out.bias": table["head.bias"]}
        network = cls(model.config, model.pooling, tensors, table, model.output, mask_id)
        for number, layer in enumerate(model.encoder.layers if pruned else ()):
            assert isinstance(layer, Layer)
            network = _with_heads(network, number, layer.attention.busy_heads().numpy(force=True))
        return network

    def named(self, parameter: str, part: int = 0) -> tuple[str, Array]:
        """A parameter's checkpoint name and value; ``part`` selects query, key or value."""
        name = self.table[parameter][part]
        return name, self.tensors[name]

    @property
    def labels(self) -> int:
        """Number of labels, or of entries of the vocabulary."""
        return len(self.named("head.out.bias")[1])

    def has(self, parameter: str) -> bool:
        """Whether the network has such a parameter."""
        return parameter in self.table

    def heads(self, layer: int) -> int:
        """Number of active attention heads of a layer, at least 1."""
        return len(self.named(_qkv(layer, "weight"))[1]) // self.config.head_size

    def scaled(self, factor: float) -> Network:
        """The same network with its logits multiplied by ``factor``."""
        changed = {name: self.tensors[name] * np.float32(factor) for name in self._output_names()}
        return replace(self, tensors={**self.tensors, **changed})

    def _output_names(self) -> list[str]:
        return [self.table[f"head.out.{part}"][0] for part in ("weight", "bias")]


def _qkv(layer: int, part: str) -> str:
    return f"encoder.layers.{layer}.attention.qkv.{part}"


def _with_heads(network: Network, layer: int, busy: Array) -> Network:
    """The network with only the ``busy`` heads of a layer, [heads]; the others contribute nothing."""
    if busy.all():
        return network
    if not busy.any():
        busy = np.arange(len(busy)) == 0  # no operator computes attention without a head
    kept = np.flatnonzero(np.repeat(busy, network.config.head_size))
    tensors, table = dict(network.tensors), dict(network.table)
    cuts = [(_qkv(layer, "weight"), 0), (_qkv(layer, "bias"), 0), (f"encoder.layers.{layer}.attention.out.weight", 1)]
    for parameter, axis in cuts:
        names = table[parameter]
        table[parameter] = tuple(f"{name}.busy" for name in names)
        tensors |= {f"{name}.busy": tensors[name].take(kept, axis) for name in names}
    return replace(network, tensors=tensors, table=table)
