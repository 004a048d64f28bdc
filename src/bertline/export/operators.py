"""The operators of a network: products with its weights, norms, activations, masks and shapes.

Every method adds nodes to one graph and returns the name of their result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bertline.export.graph import MICROSOFT, Graph
from bertline.export.network import Network
from bertline.export.quantise import quantise_rows
from bertline.export.recipe import Recipe

Array = np.ndarray[Any, Any]
INPUTS = {"ids": ("batch", "tokens"), "lengths": ("batch",)}


class Operators:
    """A graph under construction, with a network's weights.

    Args:
        network: has the weights.
        recipe: in which precision they are used.

    Attributes:
        graph: to which nodes are added.
        inputs: of each product, by its name.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.network, self.recipe, self.config = network, recipe, network.config
        self.graph = Graph(recipe.stored)
        self.inputs: dict[str, str] = {}
        self._shape = self.graph.add("Shape", "ids")
        self._wholes: dict[int, str] = {}  # [batch, tokens, width], by width

    @property
    def expected(self) -> dict[str, tuple[str, ...]]:
        """The graph's inputs, with the names of their dimensions."""
        return INPUTS | ({"segments": INPUTS["ids"]} if self.recipe.pairs else {})

    # ------------------------------------------------------------------------------------------- shapes

    def whole(self, states: str, width: int | None = None) -> str:
        """States by text and token: [batch, tokens, width]; the default width is the hidden size."""
        width = width or self.config.hidden
        if width not in self._wholes:
            last = self.graph.constant(np.array([width]))
            self._wholes[width] = self.graph.add("Concat", self._shape, last, axis=0)
        return self.graph.add("Reshape", states, self._wholes[width])

    def flat(self, states: str, width: int | None = None) -> str:
        """States as one matrix: [batch · tokens, width]; the default width is the hidden size."""
        width = width or self.config.hidden
        return self.graph.add("Reshape", states, self.graph.constant(np.array([-1, width]), f"flat {width}"))

    def first(self, states: str) -> str:
        """The states of [CLS], from [batch, tokens, hidden]: [batch, hidden]."""
        return self.graph.add("Gather", states, self.graph.constant(np.int64(0)), axis=1)

    # ------------------------------------------------------------------------------------------- tokens

    def positions(self, table: str) -> str:
        """Position embeddings: the first rows of the table, or a row per token if the family counts positions."""
        graph, constant = self.graph, self.graph.constant
        if not self.config.description.counts_positions:
            first = constant(np.array([0]))
            return graph.add("Slice", table, first, graph.add("Shape", "ids", start=1, end=2), first)
        pad = constant(np.int64(self.config.pad_id))
        real = graph.add("Cast", graph.add("Not", graph.add("Equal", "ids", pad)), to=7)
        numbers = graph.add("Mul", graph.add("CumSum", real, constant(np.int64(1))), real)
        return graph.add("Gather", table, graph.add("Add", numbers, pad))

    def real(self) -> str:
        """True on real tokens: [batch, tokens]."""
        add, constant = self.graph.add, self.graph.constant
        tokens = add("Squeeze", add("Shape", "ids", start=1, end=2))
        places = add("Range", constant(np.int64(0)), tokens, constant(np.int64(1)))
        lengths = add("Unsqueeze", "lengths", constant(np.array([1])))
        return add("Less", add("Unsqueeze", places, constant(np.array([0]))), lengths)

    # ------------------------------------------------------------------------------------------- numbers

    def norm(self, states: str, parameter: str) -> str:
        """LayerNorm over the last axis."""
        parameters = (self.network.named(f"{parameter}.{part}") for part in ("weight", "bias"))
        weight, bias = (self.graph.constant(value, name) for name, value in parameters)
        return self.graph.add("LayerNormalization", states, weight, bias, epsilon=self.config.norm_eps, axis=-1)

    def activation(self, states: str, kind: str) -> str:
        """An activation of ``encoder.config``, or tanh."""
        if kind in ("gelu_new", "gelu_pytorch_tanh"):
            return self.graph.add("Gelu", states, approximate="tanh")
        if kind == "silu":
            return self.graph.add("Mul", states, self.graph.add("Sigmoid", states))
        return self.graph.add({"gelu": "Gelu", "relu": "Relu", "tanh": "Tanh"}[kind], states)

    def eight_bits(self, states: str, product: str, parameter: str) -> tuple[str, str, str, Array | None] | None:
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

    def product(
        self,
        states: str,
        product: str,
        parameter: str,
        part: int = 0,
        quantised: tuple[str, str, str, Array | None] | None = None,
    ) -> str:
        """``states`` · weightᵀ + bias, in int8 if the recipe says so."""
        quantised = quantised or self.eight_bits(states, product, parameter)
        if quantised is None:
            return self.dense(states, parameter, part)
        weight, bias = (self.network.named(f"{parameter}.{part_name}", part)[1] for part_name in ("weight", "bias"))
        eight, input_scale, zero, divisor = quantised
        whole, scale = quantise_rows(weight if divisor is None else weight * divisor, self.recipe.largest)
        constant = self.graph.constant
        return self.graph.add(
            "MatMulIntegerToFloat",
            *(eight, constant(whole.T), input_scale, constant(scale), zero, "", constant(bias)),
            domain=MICROSOFT,
        )

    def dense(self, states: str, parameter: str, part: int = 0) -> str:
        """``states`` · weightᵀ + bias in fp32."""
        (name, weight), (bias_name, bias) = (self.network.named(f"{parameter}.{p}", part) for p in ("weight", "bias"))
        weight_name = self.left_over(weight, name)
        return self.graph.add("Gemm", states, weight_name, self.graph.constant(bias, bias_name), transB=1)

    def left_over(self, weight: Array, name: str | None = None) -> str:
        """A weight that is not quantised; a small engine stores it in fp16 and widens it on loading."""
        if not self.recipe.small_table:
            return self.graph.constant(weight.astype(np.float32), name)
        return self.graph.add("Cast", self.graph.constant(weight.astype(np.float16), name and f"{name}.half"), to=1)
