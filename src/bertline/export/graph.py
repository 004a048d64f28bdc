"""Build an ONNX graph node by node: generate names, store constants once, refer to weights in another file.

Only ``exporter`` builds graphs. The versions are the oldest with every operator that it uses: opset 24 introduced
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
    """The place of a tensor in a file beside the graph: file name, first byte and number of bytes."""

    file: str
    offset: int
    bytes: int


@dataclass
class Graph:
    """A graph under construction; every method that adds something returns its result's name.

    Attributes:
        stored: tensors in another file, by name; constants of these names only refer to them.
    """

    stored: Mapping[str, Stored] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._number = 0

    def constant(self, value: Array | np.generic, name: str | None = None) -> str:
        """Add a constant; one with a ``name`` is stored only once."""
        name = name or self._fresh("constant")
        if name not in self._constants:
            tensor = numpy_helper.from_array(np.array(value, order="C"), name)
            place = self.stored.get(name)
            self._constants[name] = tensor if place is None else _elsewhere(tensor, place)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        return self.add_many(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def add_many(self, operator: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
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
        """The serialised model.

        Args:
            inputs: dimension names of each input (int64), by its name.
            outputs: result of each output (float32), by its name.
            shapes: declared shapes of outputs, by name: sizes, or names of dynamic dimensions.
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
    """The place of each tensor in a safetensors file: header length, JSON header, then raw bytes."""
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
