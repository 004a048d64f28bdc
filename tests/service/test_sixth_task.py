"""A task that is not in the package, of any output: the two files that serving reads are enough to serve it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import bertline.tasks
from bertline.cli.predict_lines import json_line, screen_line, tab_line
from bertline.data.batching import Batch
from bertline.encoder.outputs import OUTPUTS
from bertline.service.app import create_app
from bertline.testing.words import ID, WordCounter, serving_of
from tests.service.conftest import until_ready

SPEC = """
from typing import Literal

from bertline.tasks.contract import TaskSpec


class Spec(TaskSpec):
    task: Literal["sizes"] = "sizes"
    gives: str

    @property
    def output(self) -> str:
        return self.gives

    @property
    def labels(self) -> tuple[str, ...]:
        return ("a", "b", "c") if self.gives == "logits" else ()
"""
ANSWER = """
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Sizes:
    shapes: list[list[int]]
    mean: float
    read_tokens: int
    cut_tokens: int

    def to_json(self):
        return asdict(self)

    def columns(self):
        return {"predicted_shapes": self.shapes, "mean": self.mean}


def answers(spec, rows, readings):
    return [
        Sizes([[*one.shape] for one in own], float((own[0] == 1).all()), reading.read, reading.cut)
        for own, reading in zip(rows, readings, strict=True)
    ]
"""
WIDTH = 3  # of every axis that is not tokens
LONG = " ".join(["good"] * 20)  # of which the model reads 14 tokens at a time


class AnyOutput(WordCounter):
    """Gives an array of ones for any output."""

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        if OUTPUTS[output].axes[0] == "masked":  # of the whole batch
            return np.ones((int((batch.ids == ID["[MASK]"]).sum()), WIDTH), dtype=np.float32)
        size = {"token": batch.ids.shape[1]}
        return np.ones((len(batch.ids), *(size.get(axis, WIDTH) for axis in OUTPUTS[output].axes)), dtype=np.float32)


@pytest.fixture(autouse=True)
def sixth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sizes"
    folder.mkdir()
    for name, content in (("__init__", ""), ("spec", SPEC), ("answer", ANSWER)):
        (folder / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.setattr(bertline.tasks, "__path__", [*bertline.tasks.__path__, str(tmp_path)])


@pytest.fixture(params=[name for name, one in OUTPUTS.items() if not one.inside])
def output(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client(output: str) -> Iterator[TestClient]:
    double = AnyOutput(name="sizes", task={"task": "sizes", "gives": output})
    with TestClient(create_app(serving_of({"sizes": double}))) as client:
        yield until_ready(client)


def shape(output: str, tokens: int) -> list[int]:
    size = {"token": tokens, "masked": 0}
    return [size.get(axis, WIDTH) for axis in OUTPUTS[output].axes]


def test_it_answers_with_its_json(client: TestClient, output: str) -> None:
    answer = client.post("/v1/predict", json={"texts": ["good", LONG], "truncation": "window"})
    assert answer.status_code == 200, answer.text
    short, long = answer.json()["predictions"]
    assert short == {"shapes": [shape(output, 3)], "mean": 1.0, "read_tokens": 3, "cut_tokens": 0}
    assert long["shapes"] == [shape(output, 16)] * long["windows"]
    assert (long["windows"], long["read_tokens"], long["cut_tokens"]) == (2, 22, 0)
    [cut] = client.post("/v1/predict", json={"text": LONG}).json()["predictions"]
    assert (cut["shapes"], cut["cut_tokens"]) == ([shape(output, 16)], 6)


def test_every_dialect_that_takes_any_task_has_it(client: TestClient, output: str) -> None:
    [own] = client.post("/v1/predict", json={"text": "good"}).json()["predictions"]
    columns = {"predicted_shapes": own["shapes"], "mean": 1.0}
    v1 = client.post("/v1/models/sizes:predict", json={"instances": ["good"]})
    assert v1.json() == {"predictions": [columns]}
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}
    [answer] = client.post("/v2/models/sizes/infer", json={"inputs": [tensor]}).json()["outputs"]
    assert (answer["name"], [json.loads(one) for one in answer["data"]]) == ("answer", [own])
    assert client.post("/invocations", json={"inputs": "good"}).json() == [own]
    [described] = client.get("/v1/models").json()["models"]
    assert described["task"] == {"task": "sizes", "reads": "text", "temperature": 1.0, "gives": output}
    assert "bertline_requests" in client.get("/metrics").text


def test_the_others_say_where_it_answers(client: TestClient, output: str) -> None:
    refused = client.post("/predict", json={"inputs": "good"})
    if output == "logits":  # as many as labels, which is what these dialects rank
        assert [one["label"] for one in refused.json()] == ["a", "b", "c"]
        return
    assert refused.status_code == 424
    start = "sizes is a model for the task sizes and has no output logits: use /v1/predict, "
    assert refused.json()["error"].startswith(start)
    unknown = client.post("/invocations", json={"inputs": "good", "parameters": {"depth": 1}})
    assert unknown.json() == {"error": "There is no field parameters.depth: valid names are none."}


@pytest.mark.parametrize("one", ["embedding", "states"])
def test_the_library_and_the_command_line_show_it(one: str) -> None:
    answers = AnyOutput(name="sizes", task={"task": "sizes", "gives": one}).model().predict(["good"])
    [own] = answers.to_dicts()
    assert own == {"text": "good", "shapes": [shape(one, 3)], "mean": 1.0, "read_tokens": 3, "cut_tokens": 0}
    assert "shapes" in repr(answers)
    assert "shapes" in answers._repr_html_()
    assert json.loads(json_line("good", answers[0])) == own
    assert tab_line("good", answers[0]) == f"{json.dumps(own['shapes'])}\t1.000000\tgood"
    assert screen_line("good", answers[0]) == f"{json.dumps(own['shapes'])}  1.000000"
