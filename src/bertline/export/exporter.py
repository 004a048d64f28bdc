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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle.engine import Engine
from bertline.bundle.probes import EMBEDDING as EMBEDDING
from bertline.encoder.network import AnyNetwork
from bertline.export.graph import MICROSOFT, Graph, Stored, stored_tensors
from bertline.export.network import Network
from bertline.export.quantise import SEVEN_BITS, Observed, quantise_rows

Array = np.ndarray[Any, Any]
FP32 = Engine(name="fp32", precision="fp32", file="model.onnx")
_INPUTS = {"ids": ("batch", "tokens"), "lengths": ("batch",)}
_FIRST_TOKEN = ("cls", "pooled")  # poolings that read [CLS] alone
_HIDDEN_SCORE = np.float32(-1e30)  # score of a padding token before the softmax


@dataclass(frozen=True)
class Recipe:
    """How an engine computes a network; the defaults are fp32.

    Attributes:
        observed: observed input range of each quantised product, by its name (``3.up``); others stay in fp32.
        float_products: products that stay in fp32 although their input was observed.
        balanced: products whose input outliers move into the weight, at the cost of one multiplication.
        largest: maximum of a product's quantised weights.
        small_table: store the embedding table in int8 with a scale per row, and other weights in fp16.
        vocabulary: each id's row in a pruned table, [vocab]; ``kept`` are the ids of its rows.
        stored: tensors of the checkpoint that the graph refers to instead of containing them.
        taps: also output the input of every product, to observe its range.
        pairs: the graph reads segments.
    """

    observed: Observed = field(default_factory=dict)
    float_products: frozenset[str] = frozenset()
    balanced: frozenset[str] = frozenset()
    largest: int = SEVEN_BITS
    small_table: bool = False
    vocabulary: Array | None = None
    kept: Array | None = None
    stored: Mapping[str, Stored] = field(default_factory=dict)
    taps: bool = False
    pairs: bool = False


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
        self.graph = Graph(recipe.stored)
        self.inputs: dict[str, str] = {}  # of each product, by its name
        self.shape = self.graph.add("Shape", "ids")
        self.wholes: dict[int, str] = {}  # [batch, tokens, width], by width

    def model(self, outputs: tuple[str, ...]) -> bytes:
        """The serialised graph; where the head reads [CLS] alone, the last layer computes no other token."""
        last = self.config.layers - 1
        output = self.network.output
        if outputs == (output,) and self.network.pooling in _FIRST_TOKEN:
            results = {output: self._head(self._last_layer(self._layers(last), last))}
        else:
            results = self._results(self._layers(last + 1), outputs)
        shapes: dict[str, tuple[str | int, ...]] = {
            "embedding": ("batch", self.config.hidden),
            "states": ("batch", "tokens", self.config.hidden),
        }
        inputs = _INPUTS | ({"segments": _INPUTS["ids"]} if self.recipe.pairs else {})
        return self.graph.finish(inputs, results | (self.inputs if self.recipe.taps else {}), shapes)

    # ------------------------------------------------------------------------------------------- outputs

    def _results(self, flat: str, outputs: tuple[str, ...]) -> dict[str, str]:
        """Outputs from the last layer's states, [batch · tokens, hidden]."""
        states = self._whole(flat)
        cls, embeds = self.network.pooling in _FIRST_TOKEN, self.network.output == "embedding"
        means = ("embedding" in outputs and not (cls and embeds)) or ("logits" in outputs and not cls)
        mean = self._mean(states) if means else ""
        make = {
            "embedding": lambda: self._head(self._first(states)) if cls and embeds else mean,
            "states": lambda: states,
            "logits": lambda: self._head(self._first(states) if cls else mean),
            "tags": lambda: self._whole(self._dense(flat, "head.out"), self.network.labels),
            "vocabulary": lambda: self._vocabulary(flat),
        }
        return {output: make[output]() for output in outputs}

    # ------------------------------------------------------------------------------------------- parts

    def _layers(self, number: int) -> str:
        """The states after the first ``number`` layers: [batch · tokens, hidden]."""
        states = self._embeddings()
        for layer in range(number):
            states = self._layer(states, layer)
        return states

    def _whole(self, states: str, width: int | None = None) -> str:
        """States by text and token: [batch, tokens, width]; the default width is the hidden size."""
        width = width or self.config.hidden
        if width not in self.wholes:
            last = self.graph.constant(np.array([width]))
            self.wholes[width] = self.graph.add("Concat", self.shape, last, axis=0)
        return self.graph.add("Reshape", states, self.wholes[width])

    def _flat(self, states: str, width: int | None = None) -> str:
        """States as one matrix: [batch · tokens, width]; the default width is the hidden size."""
        width = width or self.config.hidden
        return self.graph.add("Reshape", states, self.graph.constant(np.array([-1, width]), f"flat {width}"))

    def _first(self, states: str) -> str:
        """The states of [CLS], from [batch, tokens, hidden]: [batch, hidden]."""
        return self.graph.add("Gather", states, self.graph.constant(np.int64(0)), axis=1)

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
        positions = self._positions(self._left_over(position, name))
        if segment is not None and apart:
            positions = graph.add("Add", positions, graph.constant(segment))
        summed = graph.add("Add", self._rows_of_table(), positions)
        table = "encoder.embeddings.segment.weight"
        if pairs and network.has(table):
            table_name, rows = network.named(table)
            summed = graph.add("Add", summed, graph.add("Gather", graph.constant(rows, table_name), "segments"))
        flat = self._flat(self._norm(summed, "encoder.embeddings.norm"), self.config.embedding_width)
        project = "encoder.embeddings.project"
        return self._dense(flat, project) if network.has(f"{project}.weight") else flat

    def _positions(self, table: str) -> str:
        """Position embeddings: the first rows of the table, or a row per token if the family counts positions."""
        graph, constant = self.graph, self.graph.constant
        if not self.config.description.counts_positions:
            first = constant(np.array([0]))
            return graph.add("Slice", table, first, graph.add("Shape", "ids", start=1, end=2), first)
        pad = constant(np.int64(self.config.pad_id))
        real = graph.add("Cast", graph.add("Not", graph.add("Equal", "ids", pad)), to=7)
        numbers = graph.add("Mul", graph.add("CumSum", real, constant(np.int64(1))), real)
        return graph.add("Gather", table, graph.add("Add", numbers, pad))

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
        quantised = self._eight_bits(states, f"{layer}.qkv", f"{prefix}.attention.qkv")
        projected = [
            self._product(states, f"{layer}.qkv", f"{prefix}.attention.qkv", part, quantised) for part in range(3)
        ]
        heads = self.network.heads(layer)
        width = heads * self.config.head_size
        query, key, value = (self._whole(part, width) for part in projected)
        mixed = graph.add("Attention", query, key, value, "", "", "", "lengths", q_num_heads=heads, kv_num_heads=heads)
        return self._after_attention(self._flat(mixed, width), states, layer)

    def _last_layer(self, states: str, layer: int) -> str:
        """The last layer for [CLS] only: [batch, hidden]."""
        graph, prefix = self.graph, f"encoder.layers.{layer}"
        hidden, heads, size = self.config.hidden, self.network.heads(layer), self.config.head_size
        states = self._whole(states)
        first = self._first(states)
        key_weight, value_weight = (self.network.named(f"{prefix}.attention.qkv.weight", part)[1] for part in (1, 2))
        value_bias = self.network.named(f"{prefix}.attention.qkv.bias", 2)[1]
        query = self._dense(first, f"{prefix}.attention.qkv")
        per_head = graph.constant(np.array([-1, heads, size]))
        query = graph.add("Transpose", graph.add("Reshape", query, per_head), perm=[1, 0, 2])
        # The key's bias adds the same to every score of a query, so the softmax cancels it.
        keys = self._left_over(key_weight.reshape(heads, size, hidden) / np.float32(np.sqrt(size)))
        wanted = graph.add("Transpose", graph.add("MatMul", query, keys), perm=[1, 0, 2])
        scores = graph.add("FusedMatMul", wanted, states, domain=MICROSOFT, transB=1)
        real = graph.add("Unsqueeze", self._real(), graph.constant(np.array([1])))
        scores = graph.add("Where", real, scores, graph.constant(_HIDDEN_SCORE))
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), states)
        values = self._left_over(value_weight.reshape(heads, size, hidden).transpose(0, 2, 1))
        mixed = graph.add("MatMul", graph.add("Transpose", mixed, perm=[1, 0, 2]), values)
        mixed = self._flat(graph.add("Transpose", mixed, perm=[1, 0, 2]), heads * size)
        return self._after_attention(graph.add("Add", mixed, graph.constant(value_bias)), first, layer)

    def _after_attention(self, mixed: str, states: str, layer: int) -> str:
        """Output projection and feed-forward network, each with residual and norm."""
        add, prefix = self.graph.add, f"encoder.layers.{layer}"
        projected = self._product(mixed, f"{layer}.out", f"{prefix}.attention.out")
        states = self._norm(add("Add", projected, states), f"{prefix}.attention_norm")
        inner = self._activation(self._product(states, f"{layer}.up", f"{prefix}.up"), self.config.activation)
        fed = self._product(inner, f"{layer}.down", f"{prefix}.down")
        return self._norm(add("Add", fed, states), f"{prefix}.feed_forward_norm")

    def _mean(self, states: str) -> str:
        """Mean of the real tokens' states, from [batch, tokens, hidden]: [batch, hidden]."""
        add, constant = self.graph.add, self.graph.constant
        last, middle = constant(np.array([-1])), constant(np.array([1]))
        weights = add("Unsqueeze", add("Cast", self._real(), to=1), last)
        summed = add("ReduceSum", add("Mul", states, weights), middle, keepdims=0)
        return add("Div", summed, add("Unsqueeze", add("Cast", "lengths", to=1), last))

    def _vocabulary(self, flat: str) -> str:
        """Scores of the vocabulary for each [MASK]: [masked, vocabulary]."""
        add, constant = self.graph.add, self.graph.constant
        row = constant(np.array([-1]))
        masked = add("Equal", add("Reshape", "ids", row), constant(np.int64(self.network.mask_id or 0)))
        states = add("Gather", flat, add("Reshape", add("NonZero", masked), row), axis=0)
        kind = self.config.description.masked.activation or self.config.activation
        inner = self._norm(self._activation(self._product(states, "head.dense", "head.dense"), kind), "head.norm")
        return self._product(inner, "head.out", "head.out")

    def _head(self, pooled: str) -> str:
        """The head's output from the pooled states, [batch, hidden]; an embedding is these, or their dense layer."""
        if self.network.output == "embedding":
            pooled_too = self.network.pooling == "pooled"
            return self._activation(self._dense(pooled, "head.dense"), "tanh") if pooled_too else pooled
        if self.network.pooling == "cls":
            pooled = self._activation(self._dense(pooled, "head.dense"), self.config.description.head.activation)
        if self.network.pooling == "normalised":
            pooled = self.graph.add("LpNormalization", pooled, axis=-1, p=2)
        return self._dense(pooled, "head.out")

    # ------------------------------------------------------------------------------------------- operators

    def _real(self) -> str:
        """True on real tokens: [batch, tokens]."""
        add, constant = self.graph.add, self.graph.constant
        tokens = add("Squeeze", add("Shape", "ids", start=1, end=2))
        places = add("Range", constant(np.int64(0)), tokens, constant(np.int64(1)))
        lengths = add("Unsqueeze", "lengths", constant(np.array([1])))
        return add("Less", add("Unsqueeze", places, constant(np.array([0]))), lengths)

    def _norm(self, states: str, parameter: str) -> str:
        parameters = (self.network.named(f"{parameter}.{part}") for part in ("weight", "bias"))
        weight, bias = (self.graph.constant(value, name) for name, value in parameters)
        return self.graph.add("LayerNormalization", states, weight, bias, epsilon=self.config.norm_eps, axis=-1)

    def _activation(self, states: str, kind: str) -> str:
        if kind in ("gelu_new", "gelu_pytorch_tanh"):
            return self.graph.add("Gelu", states, approximate="tanh")
        if kind == "silu":
            return self.graph.add("Mul", states, self.graph.add("Sigmoid", states))
        return self.graph.add({"gelu": "Gelu", "relu": "Relu", "tanh": "Tanh"}[kind], states)

    def _eight_bits(self, states: str, product: str, parameter: str) -> tuple[str, str, str, Array | None] | None:
        """A product's quantised input, its scale and zero point, and the divisors of its channels.

        None if the product stays in fp32.
        """
        self.inputs[product] = states
        observed = self.recipe.observed.get(product)
        if observed is None or product in self.recipe.float_products:
            return None
        divisor = None
        if product in self.recipe.balanced:
            parts = [self.network.tensors[name] for name in self.network.table[f"{parameter}.weight"]]
            divisor = observed.balance(np.concatenate(parts))
            states = self.graph.add("Mul", states, self.graph.constant(1 / divisor))
        limits = observed.range(divisor)
        scale = self.graph.constant(np.float32(limits.scale))
        zero = self.graph.constant(np.uint8(limits.zero_point))
        return self.graph.add("QuantizeLinear", states, scale, zero), scale, zero, divisor

    def _product(
        self,
        states: str,
        product: str,
        parameter: str,
        part: int = 0,
        quantised: tuple[str, str, str, Array | None] | None = None,
    ) -> str:
        """``states`` · weightᵀ + bias, in int8 if the recipe says so."""
        quantised = quantised or self._eight_bits(states, product, parameter)
        if quantised is None:
            return self._dense(states, parameter, part)
        weight, bias = (self.network.named(f"{parameter}.{part_name}", part)[1] for part_name in ("weight", "bias"))
        eight, input_scale, zero, divisor = quantised
        whole, scale = quantise_rows(weight if divisor is None else weight * divisor, self.recipe.largest)
        constant = self.graph.constant
        return self.graph.add(
            "MatMulIntegerToFloat",
            *(eight, constant(whole.T), input_scale, constant(scale), zero, "", constant(bias)),
            domain=MICROSOFT,
        )

    def _dense(self, states: str, parameter: str, part: int = 0) -> str:
        """``states`` · weightᵀ + bias in fp32."""
        (name, weight), (bias_name, bias) = (self.network.named(f"{parameter}.{p}", part) for p in ("weight", "bias"))
        weight_name = self._left_over(weight, name)
        return self.graph.add("Gemm", states, weight_name, self.graph.constant(bias, bias_name), transB=1)

    def _left_over(self, weight: Array, name: str | None = None) -> str:
        """A weight that is not quantised; a small engine stores it in fp16 and widens it on loading."""
        if not self.recipe.small_table:
            return self.graph.constant(weight.astype(np.float32), name)
        return self.graph.add("Cast", self.graph.constant(weight.astype(np.float16), name and f"{name}.half"), to=1)
