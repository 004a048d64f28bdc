"""Baselines of every kind of evaluation are measured, and compared with the encoder, as the encoder is."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from bertline.data.examples import Example
from bertline.data.targets import Target
from bertline.evaluation.baselines import BASELINES, measure_baselines
from bertline.evaluation.commonest import commonest, entities_by_word
from bertline.evaluation.kinds import KINDS
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text.reading import Input, texts_of
from tests.contracts.test_tasks import MEASURED, arrays_of, read
from tests.unit.evaluation.test_tfidf import written


def examples(inputs: Sequence[Input], targets: list[Target]) -> list[Example]:
    each = enumerate(zip(map(texts_of, inputs), targets, strict=True))
    return [Example(i + 2, texts[0], target, pair=[*texts, None][1]) for i, (texts, target) in each]


def test_every_kind_has_baselines() -> None:
    assert BASELINES.keys() == KINDS.keys()


def test_the_majority_is_the_commonest_label_the_first_of_equals() -> None:
    assert commonest(["2", "10", "10", "2"]) == "2"
    assert commonest(["b", "a", "b"]) == "b"


@pytest.mark.parametrize("name", [name for name, (spec, _) in MEASURED.items() if task(spec.task).learns])
def test_baselines_of_each_task(name: str) -> None:
    spec, truth = MEASURED[name]
    readings, known = read(spec, truth), [one for one in truth[:-1] if one != "odd" and one != ("odd",)]
    inputs = [one.input for one in readings]
    train = examples([text for text, one in zip(inputs, truth, strict=False) if one in known][: len(known)], known)
    arrays = arrays_of(spec, readings)
    evaluation = task(spec.task).measure.measure(spec, truth, arrays, readings)
    baselines = measure_baselines(
        spec,
        evaluation,
        train=train,
        validation=train,
        test=examples(inputs, list(truth)),
        arrays=arrays,
        readings=readings,
    )
    assert len(baselines) == len(BASELINES[type(evaluation)])
    for one in baselines:
        gain = one.encoder_gain
        assert gain.value - gain.difference.value == pytest.approx(one.score.value)
        content = one.to_json()
        assert json.loads(json.dumps(content, allow_nan=False)) == content
        assert list(content) == ["name", "detail", *one.figures, "encoder_gain"]
        assert list(content["encoder_gain"]) == [one.figure, "only_first", "only_second", "p_value"]


def test_baselines_are_compared_with_the_encoder_on_the_same_rows() -> None:
    spec: TaskSpec = MEASURED["classify, one label"][0]
    texts, truth = written(6, seed=3)
    encoder = np.where(np.array(truth) == "good", 1, 0)
    encoder[:3] = 1 - encoder[:3]  # right on half the rows
    arrays, readings = [[np.eye(2)[one]] for one in encoder], read(spec, truth)
    evaluation = task("classify").measure.measure(spec, truth, arrays, readings)
    usual, words = measure_baselines(
        spec,
        evaluation,
        train=examples(*written(150)),
        validation=examples(*written(50, seed=2)),
        test=examples(texts, truth),
        arrays=arrays,
        readings=readings,
    )
    assert usual.name == "Majority class"
    assert usual.detail.startswith("always “")
    assert usual.others["macro_f1"].value < usual.score.value
    assert words.score.value == 1.0
    assert words.encoder_gain.difference.value == pytest.approx(-0.5)
    assert (words.encoder_gain.only_first, words.encoder_gain.only_second) == (0, 3)


def test_words_that_are_mostly_in_an_entity_are_found_wherever_they_stand() -> None:
    assert entities_by_word("to Rome, York", {"Rome": "place", "York": "place"}) != ()
    found = entities_by_word("Rome York, Ada", {"Rome": "place", "York": "place", "Ada": "person"})
    assert [(one.start, one.end, one.label) for one in found] == [(0, 9, "place"), (11, 14, "person")]
