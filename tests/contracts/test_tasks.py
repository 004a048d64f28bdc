"""Every task's folder, found as the package finds it, keeps the contract of ``bertline.tasks``."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline import tasks
from bertline.bundle import Manifest
from bertline.bundle.manifest import parse
from bertline.data.entities import Entity
from bertline.encoder.outputs import OUTPUTS
from bertline.encoder.source import find_model
from bertline.errors import TrainingError
from bertline.tasks.contract import Comparison, Evaluation, TaskSpec
from bertline.text import Input, Piece, Reader, Reading, Tokenizer, Truncation
from bertline.training.settings import TrainSettings

FOLDERS = sorted(one.parent.name for one in Path(tasks.__file__).parent.glob("*/__init__.py"))
# The least that a spec needs.
ENTRIES: dict[str, dict[str, object]] = {
    "classify": {"labels": ["bad", "good"]},
    "embed": {},
    "fill": {},
    "tag": {"types": ["place"]},
    "rank": {},
}


def spec_of(name: str) -> TaskSpec:
    return tasks.read_spec({"task": name} | ENTRIES[name])


def test_discovery_finds_every_folder() -> None:
    assert list(tasks.names()) == FOLDERS
    assert "classify" in FOLDERS


def test_an_unknown_task_is_named_with_the_valid_names() -> None:
    with pytest.raises(ValueError, match=r"the task 'sing' is unknown; valid names: .*classify"):
        tasks.task("sing")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_spec_names_an_output_of_the_table(name: str) -> None:
    spec = spec_of(name)
    assert spec.task == name
    assert spec.output in OUTPUTS
    assert len(set(spec.labels)) == len(spec.labels)
    assert bool(spec.labels) is (OUTPUTS[spec.output].axes[-1] == "label")


@pytest.mark.parametrize("name", FOLDERS)
def test_the_help_of_train_states_the_defaults_of_a_task(name: str) -> None:
    defaults, flags = tasks.task(name).spec.Spec.training_defaults, TrainSettings.model_fields
    assert all(str(flags[setting].description).endswith(f" default is {one:g}") for setting, one in defaults.items())
    assert {"lr", "epochs"} <= defaults.keys() or name != "tag"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_spec_survives_a_manifest_unchanged(name: str) -> None:
    spec = spec_of(name)
    manifest = Manifest(name="one", task=spec, max_tokens=16, truncation="head", pooling="cls")
    sealed, raw = manifest.sealed({})
    assert parse(raw, "one") == sealed
    assert parse(raw, "one").task == spec


@pytest.mark.parametrize("name", FOLDERS)
def test_a_spec_refuses_an_entry_that_it_does_not_know(name: str) -> None:
    with pytest.raises(ValueError, match="songs"):
        tasks.read_spec({"task": name, "songs": 1} | ENTRIES[name])


@pytest.mark.parametrize("name", FOLDERS)
def test_serving_a_task_imports_no_torch(name: str) -> None:
    code = f"import sys; from bertline.tasks import task; one = task({name!r}); one.spec.Spec, one.answer.answers; "
    result = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "fill"])  # no table trains it
def test_a_task_names_its_loss(name: str) -> None:
    assert tasks.task(name).learns
    assert callable(tasks.task(name).learn.loss)
    assert callable(tasks.task(name).learn.better)


def entity(start: int, end: int) -> tuple[Entity, ...]:
    return (Entity(start, end, "place"),)


# Specs with the truth of six texts.
MEASURED: dict[str, tuple[TaskSpec, Sequence[Any]]] = {
    "classify, one label": (spec_of("classify"), ["bad", "good", "bad", "good", "good", "odd"]),
    "classify, several labels": (
        tasks.read_spec({"task": "classify", "problem": "several", "labels": ["bad", "good"]}),
        [("bad",), (), ("bad", "good"), ("good",), ("odd",), ("good",)],
    ),
    "classify, a number": (
        tasks.read_spec({"task": "classify", "problem": "number", "labels": ["stars"]}),
        [1.0, 2.5, 3.0, -4.0, 0.0, 2.0],
    ),
    "rank": (spec_of("rank"), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
    "rank, grades": (tasks.read_spec({"task": "rank", "highest": 3.0}), [1.0, 0.0, 3.0, 2.0, 0.5, 3.0]),
    "embed, pairs": (spec_of("embed"), [()] * 6),
    "embed, labels": (tasks.read_spec({"task": "embed", "dimensions": [4]}), ["a", "b", "a", "b", "b", "odd"]),
    "embed, scores": (tasks.read_spec({"task": "embed", "highest": 5.0}), [1.0, 0.0, 5.0, 2.0, 0.5, 3.0]),
    "fill": (spec_of("fill"), [[1012], [2003], [0], [1996], [2003], [30521]]),
    "tag": (spec_of("tag"), [entity(0, 4), (), entity(5, 8), entity(0, 4), (), (Entity(0, 4, "odd"),)]),
}
QUERIES = ("old towns", "journeys", "journeys") * 2
TEXTS = ("York was cold", "so was the sea", "from York to here", "Rome is old", "it rains", "Ada left Rome")


def arrays_of(spec: TaskSpec, readings: Sequence[Reading], seed: int = 0) -> list[list[Any]]:
    rng = np.random.default_rng(seed)

    def shape(piece: Piece) -> tuple[int, ...]:
        sizes = {
            "token": len(piece.ids),
            "masked": len(piece.masked),
            "label": len(spec.labels),
            "vocabulary": 30522,
            "hidden": 8,
        }
        return tuple(sizes[axis] for axis in OUTPUTS[spec.output].axes)

    return [[rng.normal(size=shape(piece)) for piece in one.pieces] for one in readings]


def read(spec: TaskSpec, truth: Sequence[Any], count: int = len(TEXTS)) -> list[Reading]:
    """What is read of the first texts; an embedder's texts with a label are single ones."""
    tokenizer = Tokenizer.from_directory(find_model("all-MiniLM-L6-v2"))
    required = spec.with_tokenizer(tokenizer).required
    texts = [f"{text} {required}" for text in TEXTS]
    paired = spec.pairs or (spec.apart and not isinstance(truth[0], str))
    inputs: Sequence[Input] = [*zip(QUERIES, texts, strict=True)] if paired else texts
    return Reader(tokenizer, Truncation(16), offsets=spec.offsets, apart=spec.apart).read(inputs[:count])


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def test_every_task_is_measured() -> None:
    assert {spec.task for spec, _ in MEASURED.values()} == set(FOLDERS)


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("count", [1, len(TEXTS)])
def test_a_measurement_keeps_the_contract(name: str, count: int) -> None:
    spec, truth = MEASURED[name]
    readings, part = read(spec, truth, count), tasks.task(spec.task).measure
    arrays = arrays_of(spec, readings)
    fields = [{"source": "web"}] * count
    evaluation = part.measure(spec, truth[:count], arrays, readings, fields=fields, seed=3)
    assert isinstance(evaluation, Evaluation)
    assert (evaluation.rows, evaluation.seed) == (count, 3)
    content = evaluation.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert all(math.isfinite(number) for number in numbers(content))
    assert content["rows"] == count
    assert content["metrics"] == evaluation.metrics()
    assert all(one.low <= one.value <= one.high for _, one in evaluation.headline())
    assert len({name for name, _ in evaluation.headline()}) == len(evaluation.headline())
    assert evaluation == part.measure(spec, truth[:count], arrays, readings, fields=fields, seed=3)


@pytest.mark.parametrize("name", MEASURED)
def test_a_comparison_keeps_the_contract(name: str) -> None:
    """The score is the first figure of the headline, better when it is higher, and the two may change places."""
    spec, truth = MEASURED[name]
    readings, part = read(spec, truth), tasks.task(spec.task).measure
    one, other = (arrays_of(spec, readings, seed) for seed in (1, 2))
    first, second = (part.measure(spec, truth, some, readings).headline()[0] for some in (one, other))
    compared, swapped = part.compare(spec, truth, one, other, readings), part.compare(spec, truth, other, one, readings)
    assert isinstance(compared, Comparison)
    assert (compared.score, compared.value) == (first[0], pytest.approx(first[1].value))
    assert compared.difference.value == pytest.approx(first[1].value - second[1].value)
    assert swapped.difference.value == pytest.approx(-compared.difference.value)
    assert (compared.only_first, compared.only_second) == (swapped.only_second, swapped.only_first)
    assert compared.agreement == swapped.agreement
    assert 0 < compared.p_value <= 1
    assert json.loads(json.dumps(asdict(compared), allow_nan=False)) == asdict(compared)
    same = part.compare(spec, truth, one, one, readings)
    assert (same.verdict, same.difference.value, same.agreement, same.p_value) == (0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("name", MEASURED)
def test_figures_and_tuning_keep_the_contract(name: str) -> None:
    spec, truth = MEASURED[name]
    readings, part = read(spec, truth), tasks.task(spec.task).measure
    arrays = arrays_of(spec, readings)
    figures = part.figures(spec, truth, arrays, readings)
    assert figures
    assert all(isinstance(one, float) and math.isfinite(one) for one in figures.values())
    tuned = part.tune(spec, truth, arrays, readings)
    assert tasks.read_spec(tuned.model_dump(mode="json")) == tuned
    assert tuned.labels == spec.labels
    assert part.tune(spec, [], [], []).temperature == 1.0
    assert part.measure(tuned, truth, arrays, readings).rows == len(TEXTS)


@pytest.mark.parametrize("name", MEASURED)
def test_no_texts_and_logits_that_are_not_finite_are_refused(name: str) -> None:
    spec, truth = MEASURED[name]
    readings, part = read(spec, truth), tasks.task(spec.task).measure
    arrays = arrays_of(spec, readings)
    arrays[2][0][0] = np.nan
    with pytest.raises(TrainingError, match="the model's logits are not finite on 1 of 6 rows"):
        part.measure(spec, truth, arrays, readings)
    with pytest.raises(TrainingError, match="there are no rows to evaluate on"):
        part.measure(spec, [], [], [])


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_watched_of_no_answer_is_empty_columns(name: str) -> None:
    columns = tasks.task(name).watched.columns(spec_of(name), [], [])
    assert all(column == [] for column in columns.values())
