"""From an encoder's states to what its head gives."""

from __future__ import annotations

import numpy as np

from bertline.export.operators import Operators

FIRST_TOKEN = ("cls", "pooled")  # poolings that read [CLS] alone


class Head:
    """The head of a network, in a graph.

    Args:
        operators: of the graph.
    """

    def __init__(self, operators: Operators) -> None:
        self.ops, self.graph = operators, operators.graph
        self.network, self.config = operators.network, operators.config

    def mean(self, states: str) -> str:
        """Mean of the real tokens' states, from [batch, tokens, hidden]: [batch, hidden]."""
        add, constant = self.graph.add, self.graph.constant
        last, middle = constant(np.array([-1])), constant(np.array([1]))
        weights = add("Unsqueeze", add("Cast", self.ops.real(), to=1), last)
        summed = add("ReduceSum", add("Mul", states, weights), middle, keepdims=0)
        return add("Div", summed, add("Unsqueeze", add("Cast", "lengths", to=1), last))

    def vocabulary(self, flat: str) -> str:
        """Scores of the vocabulary for each [MASK]: [masked, vocabulary]."""
        add, constant = self.graph.add, self.graph.constant
        row = constant(np.array([-1]))
        masked = add("Equal", add("Reshape", "ids", row), constant(np.int64(self.network.mask_id or 0)))
        states = add("Gather", flat, add("Reshape", add("NonZero", masked), row), axis=0)
        kind = self.config.description.masked.activation or self.config.activation
        inner = self.ops.activation(self.ops.product(states, "head.dense", "head.dense"), kind)
        inner = self.ops.norm(inner, "head.norm")
        return self.ops.product(inner, "head.out", "head.out")

    def pooled(self, states: str) -> str:
        """What the last layer of a text's head reads, from [CLS]'s state or the mean, [batch, hidden]."""
        ops, own = self.ops, self.config.description.head
        if self.network.pooling in ("cls", "pooled"):
            kind = own.activation if self.network.pooling == "cls" else "tanh"
            return ops.activation(ops.dense(states, "head.dense"), kind)
        if self.network.pooling == "normalised":
            return self.graph.add("LpNormalization", states, axis=-1, p=2)
        return states

    def answer(self, states: str) -> str:
        """The output of a text's head from [CLS]'s state or the mean, [batch, hidden]; an embedding is the former."""
        if self.network.output == "embedding":
            return self.pooled(states) if self.network.pooling == "pooled" else states
        return self.ops.dense(self.pooled(states), "head.out")
