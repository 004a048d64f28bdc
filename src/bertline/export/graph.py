"""An ONNX graph, node by node: names are made here, constants are stored once, weights may lie in another file.

Only ``exporter`` builds graphs. The versions are the oldest that have every operator it uses: opset 24 brought
``Attention`` with lengths instead of a mask, which onnxruntime computes in half the time of its own fused operators
(docs/log.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 24
IR_VERSION = 11
MICROSOFT = "com.microsoft"  # onnxruntime's own operators
PRODUCER = "bertline"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor lies in a file beside the graph's: its name, first byte and number of bytes."""

    file: str
    offset: int
    bytes: int


@dataclass
class Graph:
    """A graph in the making; every method that adds something returns the name of its result.

    Attributes:
        stored: tensors that lie in another file, by name; a constant of such a name takes no room here.
    """

    stored: Mapping[str, Stored] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._number = 0

    def constant(self, value: Array | np.generic, name: str | None = None) -> str:
        """A constant tensor; one with a ``name`` is stored once however often it is asked for."""
        name = name or self._fresh("constant")
        if name not in self._constants:
            tensor = numpy_helper.from_array(np.array(value, order="C"), name)
            place = self.stored.get(name)
            self._constants[name] = tensor if place is None else _elsewhere(tensor, place)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output."""
        return self.add_many(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def add_many(self, operator: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """A node with several outputs."""
        name = self._fresh(operator)
        results = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), results, name=name, domain=domain, **attributes))
        return results

    def finish(
        self,
        inputs: Mapping[str, tuple[str | int, ...]],
        outputs: Mapping[str, str],
        shapes: Mapping[str, tuple[str | int, ...]] | None = None,
    ) -> bytes:
        """The model as bytes.

        Args:
            inputs: names of the inputs (int64) with the names of their dimensions.
            outputs: names of the outputs (float32) with the results that they show.
            shapes: of outputs that declare theirs: sizes, or names where they vary.
        """
        shapes = shapes or {}
        for name, result in outputs.items():
            self._nodes.append(helper.make_node("Identity", [result], [name]))
        graph = helper.make_graph(
            self._nodes,
            PRODUCER,
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes.get(name)) for name in outputs],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=PRODUCER)
        return bytes(model.SerializeToString())

    def _fresh(self, kind: str) -> str:
        self._number += 1
        return f"{kind}_{self._number}"


def _elsewhere(tensor: onnx.TensorProto, place: Stored) -> onnx.TensorProto:
    """The tensor as a reference to ``place`` (ONNX external data)."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place.file), ("offset", str(place.offset)), ("length", str(place.bytes))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def stored_tensors(path: Path) -> dict[str, Stored]:
    """Where each tensor of a safetensors file lies: a header of JSON, its length in front, then raw bytes."""
    import json

    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    first = 8 + size
    return {
        name: Stored(path.name, first + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
        if name != "__metadata__"
    }
