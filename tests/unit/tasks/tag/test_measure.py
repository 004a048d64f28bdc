"""A tagger's arrays are decoded as they are answered, and then counted; its temperature is that of labelled tokens."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from bertline.data.entities import Entity
from bertline.errors import TrainingError
from bertline.statistics.calibration import fit_temperature
from bertline.tasks.tag.answer import answers
from bertline.tasks.tag.measure import NOTHING, compare, figures, measure, tune
from bertline.tasks.tag.spec import Spec
from bertline.text.reader import Reader
from bertline.text.reading import Reading
from bertline.text.truncation import Truncation
from tests.unit.tasks.classify.test_one_label import numbers
from tests.unit.tasks.tag.test_entity_scores import evaluate, micro_f1
from tests.unit.tasks.tag.texts import TOKENIZER

SPEC = Spec(types=("person", "place"))
TEXTS = [f"{name} saw {place} on day {i}." for i in range(15) for name in ("Ada", "Bob") for place in ("Paris", "Rome")]
Truth = list[tuple[Entity, ...]]


def true_entities(text: str) -> tuple[Entity, ...]:
    place = next(one for one in ("Paris", "Rome") if one in text)
    return Entity(0, 3, "person"), Entity(text.index(place), text.index(place) + len(place), "place")


TRUTH: Truth = [true_entities(text) for text in TEXTS]


def read(truncation: Truncation | None = None) -> list[Reading]:
    return Reader(TOKENIZER, truncation or Truncation(64), offsets=True).read(TEXTS)


def logits(readings: list[Reading], seed: int = 0, noise: float = 1.5, spec: Spec = SPEC) -> list[list[np.ndarray]]:
    """Of a network that is often right."""
    rng = np.random.default_rng(seed)
    out: list[list[Any]] = []
    for entities, reading in zip(TRUTH, readings, strict=True):
        targets = [np.maximum(one, 0) for one in spec.arrays(tuple(entities), reading)]
        out.append([3 * np.eye(len(spec.labels))[one] + noise * rng.normal(size=(len(one), 5)) for one in targets])
    return out


@pytest.mark.parametrize("truncation", [Truncation(64), Truncation(8, "window")], ids=["whole", "windows"])
def test_the_entities_equal_the_answers(truncation: Truncation) -> None:
    readings = read(truncation)
    arrays = logits(readings)
    predicted = [[one.entity for one in each.entities] for each in answers(SPEC, arrays, readings)]
    evaluation, alone = measure(SPEC, TRUTH, arrays, readings), evaluate(TRUTH, predicted, SPEC.types)
    assert (evaluation.micro, evaluation.types, evaluation.confusion) == (alone.micro, alone.types, alone.confusion)
    scores = figures(SPEC, TRUTH, arrays, readings)
    assert list(scores) == ["f1", "precision", "recall"]
    assert scores["f1"] == evaluation.micro["f1"].value == micro_f1(TRUTH, predicted, SPEC.types)
    assert 0.3 < scores["f1"] < 0.95
    assert sum(one.rows for one in evaluation.bins) == sum(map(len, predicted))
    assert sum(one.rows for one in evaluation.by_length) == len(TEXTS)


def test_the_report_of_slices_and_mistakes() -> None:
    readings = read()
    fields = [{"place": "Rome" if "Rome" in text else "Paris"} for text in TEXTS]
    evaluation = measure(SPEC, TRUTH, logits(readings), readings, fields=fields)
    rome = next(one for one in evaluation.slices["place"] if one.name == "Rome")
    some = [i for i, text in enumerate(TEXTS) if "Rome" in text]
    part = [logits(readings)[i] for i in some], [readings[i] for i in some]
    assert rome.estimate.value == pytest.approx(figures(SPEC, [TRUTH[i] for i in some], *part)["f1"])
    assert rome.estimate.low < rome.estimate.value < rome.estimate.high
    confidence = [one.confidence for one in evaluation.mistakes]
    assert confidence == sorted(confidence, reverse=True)
    for one in evaluation.mistakes:
        assert one.predicted.split(" “")[0] in SPEC.types
        assert one.truth == NOTHING or "“" in one.truth
        assert one.truth != one.predicted
    content = evaluation.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_the_temperature_is_that_of_labelled_tokens() -> None:
    """Special tokens and further pieces of words have no label, so they do not count, whatever their logits say."""
    readings = read()
    arrays = logits(readings, seed=2)
    spec = tune(SPEC, TRUTH, arrays, readings)
    targets = [SPEC.arrays(*each)[0] for each in zip(TRUTH, readings, strict=True)]
    rows, labels = np.concatenate([one for [one] in arrays]), np.concatenate(targets)
    assert spec.temperature == pytest.approx(fit_temperature(rows[labels >= 0], labels[labels >= 0]))
    for own, target in zip(arrays, targets, strict=True):
        own[0][target < 0] *= 50
    assert tune(SPEC, TRUTH, arrays, readings) == spec
    before, after = (measure(one, TRUTH, arrays, readings) for one in (SPEC, spec))
    assert (before.micro, after.temperature) == (after.micro, spec.temperature)
    assert tune(SPEC, [], [], []).temperature == 1.0


def test_types_that_only_the_texts_have_are_missed() -> None:
    readings = read()
    arrays = logits(readings)
    odd = [(*one, Entity(len(text) - 1, len(text), "stop")) for one, text in zip(TRUTH, TEXTS, strict=True)]
    known, all_ = (measure(SPEC, some, arrays, readings) for some in (TRUTH, odd))
    assert [one.label for one in all_.types] == ["person", "place", "stop"]
    assert all_.types[2].recall.value == 0
    assert all_.micro["recall"].value < known.micro["recall"].value
    assert figures(SPEC, odd, arrays, readings)["f1"] == all_.micro["f1"].value
    assert tune(SPEC, odd, arrays, readings).temperature > 0


@pytest.mark.parametrize("scale", [0.0, -30.0])
def test_nothing_predicted_and_everything_wrong_give_finite_figures(scale: float) -> None:
    readings = read()
    arrays = [[scale * piece for piece in own] for own in logits(readings)]
    content = measure(SPEC, TRUTH, arrays, readings).to_json()
    assert all(math.isfinite(number) for number in numbers(content))
    single = measure(SPEC, TRUTH[:1], arrays[:1], readings[:1]).to_json()
    assert all(math.isfinite(number) for number in numbers(single))


def test_two_taggers_on_the_same_texts() -> None:
    readings = read()
    good, bad = (logits(readings, noise=noise) for noise in (0.5, 2.5))
    one = compare(SPEC, TRUTH, good, bad, readings)
    f1 = [figures(SPEC, TRUTH, some, readings)["f1"] for some in (good, bad)]
    assert (one.score, one.value, one.difference.value) == ("F1", pytest.approx(f1[0]), pytest.approx(f1[0] - f1[1]))
    assert (one.verdict, one.p_value) == (1, pytest.approx(1 / 1001))
    assert one.only_first > one.only_second
    assert compare(SPEC, TRUTH, bad, good, readings).verdict == -1
    same = compare(SPEC, TRUTH, good, good, readings)
    assert (same.verdict, same.agreement, same.p_value) == (0, 1.0, 1.0)


def test_logits_that_are_not_finite_are_refused() -> None:
    readings = read()
    arrays = logits(readings)
    arrays[3][0][1, 2] = np.nan
    with pytest.raises(TrainingError, match="logits are not finite on 1 of 60 rows"):
        measure(SPEC, TRUTH, arrays, readings)
