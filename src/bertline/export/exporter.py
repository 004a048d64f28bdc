"""Export the encoder and its head as an ONNX graph, operator by operator, dynamic in batch and tokens.

Inputs: ``ids`` [batch, tokens], padded on the right, ``lengths`` [batch], and ``segments`` [batch, tokens] if the
network reads pairs. Outputs: any of

- ``logits`` [batch, labels], ``tags`` [batch, tokens, labels] or ``vocabulary`` [masked, vocabulary], depending on the
  head; the last has the batch's [MASK] tokens alone, one text's after the other's;
- ``embedding`` [batch, hidden], of an embedder as it pools states; of any other network, whatever its head reads, the
  mean of the last layer's states over the real tokens (Reimers and Gurevych 2019, and the mean pooling of
  sentence-transformers);
- ``states`` [batch, tokens, hidden], the last layer's states, meaningless on padding.

- Matrix products are on [batch · tokens, hidden], so that the product itself adds the bias.
- A text head reads only [CLS] of the last layer. There, Wₖᵀq is applied to the states, and the values are mixed
  before Wᵥ is applied (both products are associative), so the layer costs two passes over the states instead of
  twelve hidden² products per token. This saves a sixth of a six-layer model and changes no answer.
- Residual, bias and LayerNorm are separate operators: onnxruntime's fused one takes nine times as long as its
  LayerNormalization (measured, docs/log.md).
- Quantised products take int8 activations with fixed ranges (``quantise``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle.engine import Engine
from bertline.bundle.probes import EMBEDDING as EMBEDDING
from bertline.encoder.network import AnyNetwork
from bertline.export.graph import MICROSOFT, stored_tensors
from bertline.export.head import FIRST_TOKEN, Head
from bertline.export.network import Network
from bertline.export.operators import Operators
from bertline.export.quantise import quantise_rows
from bertline.export.recipe import Recipe as Recipe

Array = np.ndarray[Any, Any]
FP32 = Engine(name="fp32", precision="fp32", file="model.onnx")
_HIDDEN_SCORE = np.float32(-1e30)  # score of a padding token before the softmax


def export(network: Network, recipe: Recipe | None = None, outputs: Sequence[str] | None = None) -> bytes:
    """The network's ONNX model.

    Args:
        network: the network to export.
        recipe: how to compute it; the default is fp32.
        outputs: names in ``encoder.outputs``; the default is the head's output.
    """
    return _Export(network, recipe or Recipe()).model(tuple(outputs or (network.output,)))


def full_outputs(network: Network) -> tuple[str, ...]:
    """The outputs of a bundle's ``embedding.onnx``.

    They include the head's output, computed from the same states, so that a loader can check the graph with the
    bundle's probes.
    """
    return tuple(dict.fromkeys(("embedding", "states", network.output)))


def write_fp32_engine(bundle: Path, network: AnyNetwork, *, pairs: bool = False) -> Engine:
    """Write the graph of the engine ``FP32``; its weights are those of ``model.safetensors`` beside it.

    Args:
        bundle: the bundle's directory.
        network: to export.
        pairs: whether the graph also reads the segments of pairs.

    Returns:
        The engine's entry in the manifest.
    """
    recipe = Recipe(stored=stored_tensors(bundle / "model.safetensors"), pairs=pairs)
    (bundle / str(FP32.file)).write_bytes(export(Network.of(network), recipe))
    return FP32.model_copy(update={"outputs": (network.output,)})


def write_embedding(bundle: Path, network: AnyNetwork, *, pairs: bool = False) -> None:
    """Write the graph ``EMBEDDING``: the full network in fp32, with its embeddings and states, for any pooling.

    Its weights are those of ``model.safetensors`` beside it.
    """
    own = Network.of(network)
    recipe = Recipe(stored=stored_tensors(bundle / "model.safetensors"), pairs=pairs)
    (bundle / EMBEDDING).write_bytes(export(own, recipe, full_outputs(own)))


class _Export:
    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.network, self.recipe, self.config = network, recipe, network.config
        self.ops = Operators(network, recipe)
        self.graph, self.head = self.ops.graph, Head(self.ops)

    def model(self, outputs: tuple[str, ...]) -> bytes:
        """The serialised graph; where the head reads [CLS] alone, the last layer computes no other token."""
        last = self.config.layers - 1
        output = self.network.output
        if outputs == (output,) and self.network.pooling in FIRST_TOKEN:
            results = {output: self.head.answer(self._last_layer(self._layers(last), last))}
        else:
            results = self._results(self._layers(last + 1), outputs)
        shapes: dict[str, tuple[str | int, ...]] = {
            "embedding": ("batch", self.config.hidden),
            "states": ("batch", "tokens", self.config.hidden),
        }
        taps = self.ops.inputs if self.recipe.taps else {}
        return self.graph.finish(self.ops.expected, results | taps, shapes)

    # ------------------------------------------------------------------------------------------- outputs

    def _results(self, flat: str, outputs: tuple[str, ...]) -> dict[str, str]:
        """Outputs from the last layer's states, [batch · tokens, hidden]."""
        states = self.ops.whole(flat)
        cls, embeds = self.network.pooling in FIRST_TOKEN, self.network.output == "embedding"
        means = ("embedding" in outputs and not (cls and embeds)) or ("logits" in outputs and not cls)
        mean = self.head.mean(states) if means else ""
        make = {
            "embedding": lambda: self.head.answer(self.ops.first(states)) if cls and embeds else mean,
            "states": lambda: states,
            "logits": lambda: self.head.answer(self.ops.first(states) if cls else mean),
            "tags": lambda: self.ops.whole(self.ops.dense(flat, "head.out"), self.network.labels),
            "vocabulary": lambda: self.head.vocabulary(flat),
        }
        return {output: make[output]() for output in outputs}

    # ------------------------------------------------------------------------------------------- parts

    def _layers(self, number: int) -> str:
        """The states after the first ``number`` layers: [batch · tokens, hidden]."""
        states = self._embeddings()
        for layer in range(number):
            states = self._layer(states, layer)
        return states

    def _embeddings(self) -> str:
        """Token + position (+ segment) embeddings, normalised: [batch · tokens, hidden]."""
        graph, network = self.graph, self.network
        pairs = self.recipe.pairs
        name, position = network.named("encoder.embeddings.position.weight")
        segment = None if pairs else self._segment()
        # A table in another file is used unchanged; otherwise their sum is stored, which saves an operator.
        apart = segment is not None and name in self.recipe.stored
        if segment is not None and not apart:
            name, position = f"{name}+segment", position + segment
        positions = self.ops.positions(self.ops.left_over(position, name))
        if segment is not None and apart:
            positions = graph.add("Add", positions, graph.constant(segment))
        summed = graph.add("Add", self._rows_of_table(), positions)
        table = "encoder.embeddings.segment.weight"
        if pairs and network.has(table):
            table_name, rows = network.named(table)
            summed = graph.add("Add", summed, graph.add("Gather", graph.constant(rows, table_name), "segments"))
        flat = self.ops.flat(self.ops.norm(summed, "encoder.embeddings.norm"), self.config.embedding_width)
        project = "encoder.embeddings.project"
        return self.ops.dense(flat, project) if network.has(f"{project}.weight") else flat

    def _segment(self) -> Array | None:
        """The embedding of segment 0, [hidden]; None if the family has no segments."""
        parameter = "encoder.embeddings.segment.weight"
        if not self.network.has(parameter):
            return None
        row: Array = self.network.named(parameter)[1][0]
        return row

    def _rows_of_table(self) -> str:
        """Token embeddings of ``ids``: [batch, tokens, hidden]."""
        graph, recipe = self.graph, self.recipe
        name, table = self.network.named("encoder.embeddings.token.weight")
        ids = "ids"
        if recipe.vocabulary is not None and recipe.kept is not None:
            ids = graph.add("Gather", graph.constant(recipe.vocabulary.astype(np.int32), "kept row"), ids)
            name, table = f"{name}.kept", table[recipe.kept]
        if not recipe.small_table:
            return graph.add("Gather", graph.constant(table, name), ids)
        quantised, scale = quantise_rows(table)
        rows = graph.add("Cast", graph.add("Gather", graph.constant(quantised), ids), to=1)
        return graph.add("Mul", rows, graph.add("Gather", graph.constant(scale[:, None]), ids))

    def _layer(self, states: str, layer: int) -> str:
        """One whole layer on [batch · tokens, hidden]."""
        graph, prefix = self.graph, f"encoder.layers.{layer}"
        quantised = self.ops.eight_bits(states, f"{layer}.qkv", f"{prefix}.attention.qkv")
        projected = [
            self.ops.product(states, f"{layer}.qkv", f"{prefix}.attention.qkv", part, quantised) for part in range(3)
        ]
        heads = self.network.heads(layer)
        width = heads * self.config.head_size
        query, key, value = (self.ops.whole(part, width) for part in projected)
        mixed = graph.add("Attention", query, key, value, "", "", "", "lengths", q_num_heads=heads, kv_num_heads=heads)
        return self._after_attention(self.ops.flat(mixed, width), states, layer)

    def _last_layer(self, states: str, layer: int) -> str:
        """The last layer for [CLS] only: [batch, hidden]."""
        graph, prefix = self.graph, f"encoder.layers.{layer}"
        hidden, heads, size = self.config.hidden, self.network.heads(layer), self.config.head_size
        states = self.ops.whole(states)
        first = self.ops.first(states)
        key_weight, value_weight = (self.network.named(f"{prefix}.attention.qkv.weight", part)[1] for part in (1, 2))
        value_bias = self.network.named(f"{prefix}.attention.qkv.bias", 2)[1]
        query = self.ops.dense(first, f"{prefix}.attention.qkv")
        per_head = graph.constant(np.array([-1, heads, size]))
        query = graph.add("Transpose", graph.add("Reshape", query, per_head), perm=[1, 0, 2])
        # The key's bias adds the same to every score of a query, so the softmax cancels it.
        keys = self.ops.left_over(key_weight.reshape(heads, size, hidden) / np.float32(np.sqrt(size)))
        wanted = graph.add("Transpose", graph.add("MatMul", query, keys), perm=[1, 0, 2])
        scores = graph.add("FusedMatMul", wanted, states, domain=MICROSOFT, transB=1)
        real = graph.add("Unsqueeze", self.ops.real(), graph.constant(np.array([1])))
        scores = graph.add("Where", real, scores, graph.constant(_HIDDEN_SCORE))
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), states)
        values = self.ops.left_over(value_weight.reshape(heads, size, hidden).transpose(0, 2, 1))
        mixed = graph.add("MatMul", graph.add("Transpose", mixed, perm=[1, 0, 2]), values)
        mixed = self.ops.flat(graph.add("Transpose", mixed, perm=[1, 0, 2]), heads * size)
        return self._after_attention(graph.add("Add", mixed, graph.constant(value_bias)), first, layer)

    def _after_attention(self, mixed: str, states: str, layer: int) -> str:
        """Output projection and feed-forward network, each with residual and norm."""
        add, prefix = self.graph.add, f"encoder.layers.{layer}"
        projected = self.ops.product(mixed, f"{layer}.out", f"{prefix}.attention.out")
        states = self.ops.norm(add("Add", projected, states), f"{prefix}.attention_norm")
        inner = self.ops.activation(self.ops.product(states, f"{layer}.up", f"{prefix}.up"), self.config.activation)
        fed = self.ops.product(inner, f"{layer}.down", f"{prefix}.down")
        return self.ops.norm(add("Add", fed, states), f"{prefix}.feed_forward_norm")
