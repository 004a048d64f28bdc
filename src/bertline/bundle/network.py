"""A classifier as arrays by the names of its checkpoint: what the exporter reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier
from bertline.encoder.keys import classifier_table, to_checkpoint

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Network:
    """Shape, pooling and weights of a classifier.

    ``tensors`` has the arrays by their names in the checkpoint; ``table`` leads from our parameter names there.
    """

    config: EncoderConfig
    pooling: str
    tensors: Mapping[str, Array]
    table: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, classifier: Classifier) -> Network:
        """The weights of a classifier in PyTorch, copied to the CPU in fp32."""
        table = classifier_table(classifier.config, pooling=classifier.pooling)
        state = to_checkpoint(classifier.state_dict(), table)
        tensors = {name: tensor.float().numpy() for name, tensor in state.items()}
        return cls(classifier.config, classifier.pooling, tensors, table)

    def named(self, parameter: str, part: int = 0) -> tuple[str, Array]:
        """A parameter's name in the checkpoint and its value; ``part`` chooses among query, key and value."""
        name = self.table[parameter][part]
        return name, self.tensors[name]

    def has(self, parameter: str) -> bool:
        """Whether the network has such a parameter."""
        return parameter in self.table

    def scaled(self, factor: float) -> Network:
        """The same network with its logits multiplied by ``factor``."""
        changed = {name: self.tensors[name] * np.float32(factor) for name in self._output_names()}
        return Network(self.config, self.pooling, {**self.tensors, **changed}, self.table)

    def _output_names(self) -> list[str]:
        return [self.table[f"head.out.{part}"][0] for part in ("weight", "bias")]
