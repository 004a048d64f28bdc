"""Export the graph that shows the inside of a network: what each layer computes, as outputs.

Engines fuse attention away, so this graph has operators of its own, and the same weights: those of the checkpoint
beside it, unpruned and in fp32. Its inputs are those of ``exporter``. Outputs:

- ``attentions`` [batch, layer, head, tokens, tokens], each layer's softmax(q·kᵀ/√d), as ``transformers`` gives them;
- ``embeddings`` [batch, 5, tokens, width]: those of token, position and segment, their sum, and its LayerNorm;
- ``layers`` [batch, layer, 7, tokens, hidden]: a layer's input, queries, keys, values, its heads' results side by side,
  the states after attention, and the states after the feed-forward network;
- ``inner`` [batch, layer, tokens, feed_forward]: the feed-forward network's activations;
- ``pooled`` [batch, hidden]: what the last layer of a text's head reads;
- ``scores`` [batch, labels]: its logits, before the temperature;
- the output of the head by its own name, so that a loader can check the graph with the bundle's probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bertline.bundle.probes import ATTENTIONS
from bertline.encoder.network import AnyNetwork
from bertline.export.graph import stored_tensors
from bertline.export.head import FIRST_TOKEN, Head
from bertline.export.network import Network
from bertline.export.operators import Operators
from bertline.export.recipe import Recipe


def write_attentions(bundle: Path, network: AnyNetwork, *, pairs: bool = False) -> None:
    """Write the graph ``ATTENTIONS``; its weights are those of ``model.safetensors`` beside it.

    Args:
        bundle: the bundle's directory.
        network: to export.
        pairs: whether the graph also reads the segments of pairs.
    """
    recipe = Recipe(stored=stored_tensors(bundle / "model.safetensors"), pairs=pairs)
    (bundle / ATTENTIONS).write_bytes(export_inside(Network.of(network, pruned=False), recipe))


def export_inside(network: Network, recipe: Recipe) -> bytes:
    """The ONNX model of a network with all its heads."""
    return _Inside(network, recipe).model()


class _Inside:
    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.network, self.config, self.recipe = network, network.config, recipe
        self.ops = Operators(network, recipe)
        self.graph, self.head = self.ops.graph, Head(self.ops)
        constant = self.graph.constant
        self.first_axis = constant(np.array([1]))
        self.real = self.graph.add("Unsqueeze", self.ops.real(), constant(np.array([1, 2])))  # [batch, 1, 1, tokens]
        self.root = constant(np.float32(np.sqrt(self.config.head_size)))
        self.hidden_score = constant(np.float32(np.finfo(np.float32).min))

    def model(self) -> bytes:
        """The serialised graph."""
        embeddings, states = self._embeddings()
        layers, attentions, inners = [], [], []
        for layer in range(self.config.layers):
            parts, attention, inner, states = self._layer(states, layer)
            layers.append(self._stacked(parts))
            attentions.append(attention)
            inners.append(inner)
        inside = {
            "attentions": self._stacked(attentions),
            "embeddings": embeddings,
            "layers": self._stacked(layers),
            "inner": self._stacked(inners),
        }
        return self.graph.finish(self.ops.expected, inside | self._answers(states))

    def _embeddings(self) -> tuple[str, str]:
        """The five parts of the embeddings, and the first layer's input, [batch · tokens, hidden]."""
        graph, ops = self.graph, self.ops
        tables = {name: f"encoder.embeddings.{name}.weight" for name in ("token", "position", "segment")}
        (token_name, token), (position_name, position) = (self.network.named(tables[n]) for n in ("token", "position"))
        tokens = graph.add("Gather", graph.constant(token, token_name), "ids")
        nothing = graph.add("Mul", tokens, graph.constant(np.float32(0)))  # in the shape of the others
        positions = graph.add("Add", nothing, ops.positions(graph.constant(position, position_name)))
        segments = nothing
        if self.network.has(tables["segment"]):
            name, rows = self.network.named(tables["segment"])
            number = "segments" if self.recipe.pairs else graph.add("Mul", "ids", graph.constant(np.int64(0)))
            segments = graph.add("Gather", graph.constant(rows, name), number)
        summed = graph.add("Add", graph.add("Add", tokens, positions), segments)
        normed = ops.norm(summed, "encoder.embeddings.norm")
        flat, project = ops.flat(normed, self.config.embedding_width), "encoder.embeddings.project"
        states = ops.dense(flat, project) if self.network.has(f"{project}.weight") else flat
        return self._stacked([tokens, positions, segments, summed, normed]), states

    def _layer(self, states: str, layer: int) -> tuple[list[str], str, str, str]:
        """The parts of one layer, its attentions, its inner activations, and the next layer's input."""
        ops, add, prefix = self.ops, self.graph.add, f"encoder.layers.{layer}"
        projected = [ops.dense(states, f"{prefix}.attention.qkv", part) for part in range(3)]
        query, key, value = (self._by_head(part) for part in projected)
        scores = add("Div", add("MatMul", query, add("Transpose", key, perm=[0, 1, 3, 2])), self.root)
        attention = add("Softmax", add("Where", self.real, scores, self.hidden_score), axis=-1)
        joined = ops.flat(add("Transpose", add("MatMul", attention, value), perm=[0, 2, 1, 3]))
        mixed = ops.dense(joined, f"{prefix}.attention.out")
        attended = ops.norm(add("Add", mixed, states), f"{prefix}.attention_norm")
        inner = ops.activation(ops.dense(attended, f"{prefix}.up"), self.config.activation)
        output = ops.norm(add("Add", ops.dense(inner, f"{prefix}.down"), attended), f"{prefix}.feed_forward_norm")
        parts = [ops.whole(part) for part in (states, *projected, joined, attended, output)]
        return parts, attention, ops.whole(inner, self.config.feed_forward), output

    def _by_head(self, flat: str) -> str:
        """[batch · tokens, hidden] as [batch, head, tokens, width of a head]."""
        sizes = self.graph.constant(np.array([0, 0, self.config.heads, self.config.head_size]), "by head")  # 0: as is
        return self.graph.add("Transpose", self.graph.add("Reshape", self.ops.whole(flat), sizes), perm=[0, 2, 1, 3])

    def _answers(self, flat: str) -> dict[str, str]:
        """What the head gives, and reads, for the last layer's states."""
        network, ops = self.network, self.ops
        if network.output == "tags":
            return {"tags": ops.whole(ops.dense(flat, "head.out"), network.labels)}
        if network.output == "vocabulary":
            return {"vocabulary": self.head.vocabulary(flat)}
        states = ops.whole(flat)
        summary = ops.first(states) if network.pooling in FIRST_TOKEN else self.head.mean(states)
        if network.output == "embedding":
            embedding = self.head.answer(summary)
            return {"embedding": embedding, "pooled": embedding}
        pooled = self.head.pooled(summary)
        logits = ops.dense(pooled, "head.out")
        return {"pooled": pooled, "scores": logits, "logits": logits}

    def _stacked(self, parts: Sequence[str]) -> str:
        """Results of one shape along a new axis behind the batch's."""
        return self.graph.add("Concat", *(self.graph.add("Unsqueeze", p, self.first_axis) for p in parts), axis=1)
