from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from bertline.export.graph import Graph, Stored, stored_tensors

WEIGHTS = {"b.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.float32([7, 8])}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_file(WEIGHTS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path / "model.safetensors"


def finished(graph: Graph, result: str) -> onnx.ModelProto:
    return onnx.load_model_from_string(graph.finish({"ids": ("batch", "tokens")}, {"logits": result}))


def test_a_constant_with_a_name_is_stored_once() -> None:
    graph = Graph()
    first, second = (graph.constant(np.float32([1, 2]), "weight") for _ in range(2))
    model = finished(graph, graph.add("Add", first, second))
    assert first == second == "weight"
    assert [one.name for one in model.graph.initializer] == ["weight"]


def test_unnamed_constants_are_distinguished() -> None:
    graph = Graph()
    model = finished(graph, graph.add("Add", graph.constant(np.float32([1])), graph.constant(np.float32([2]))))
    assert [onnx.numpy_helper.to_array(one).tolist() for one in model.graph.initializer] == [[1.0], [2.0]]


def test_the_model_names_its_dimensions() -> None:
    graph = Graph()
    model = finished(graph, graph.add("Cast", "ids", to=1))
    (ids,) = model.graph.input
    assert [one.dim_param for one in ids.type.tensor_type.shape.dim] == ["batch", "tokens"]


def test_an_output_has_the_shape_that_it_declares_or_none() -> None:
    graph = Graph()
    result = graph.add("Cast", "ids", to=1)
    outputs = dict.fromkeys(("states", "free"), result)
    content = graph.finish({"ids": ("batch", "tokens")}, outputs, {"states": ("batch", 3)})
    states, free = onnx.load_model_from_string(content).graph.output
    assert [one.dim_param or one.dim_value for one in states.type.tensor_type.shape.dim] == ["batch", 3]
    assert not free.type.tensor_type.HasField("shape")


def test_a_node_with_several_outputs_names_each() -> None:
    graph = Graph()
    parts = graph.add_many("Split", graph.constant(np.float32([1, 2])), outputs=2, num_outputs=2)
    assert len(set(parts)) == 2
    assert list(finished(graph, parts[1]).graph.node[0].output) == parts


def test_every_tensor_of_a_file_is_found_byte_for_byte(weights: Path) -> None:
    content, places = weights.read_bytes(), stored_tensors(weights)
    assert places.keys() == WEIGHTS.keys()
    for name, tensor in load_file(weights).items():
        place = places[name]
        assert place.file == "model.safetensors"
        assert content[place.offset : place.offset + place.bytes] == tensor.tobytes()


def test_a_stored_constant_takes_no_room_and_says_where_it_is() -> None:
    table = np.random.default_rng(0).normal(size=(100, 10)).astype(np.float32)
    graph = Graph(stored={"table": Stored("model.safetensors", 64, table.nbytes)})
    model = finished(graph, graph.constant(table, "table"))
    (tensor,) = model.graph.initializer
    assert tensor.dims == [100, 10]
    assert {one.key: one.value for one in tensor.external_data} == {
        "location": "model.safetensors",
        "offset": "64",
        "length": "4000",
    }
    assert len(model.SerializeToString()) < 400
