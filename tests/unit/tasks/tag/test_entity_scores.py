"""Figures of entities are seqeval's for tags of every kind; intervals resample texts; each entity is confused once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.v1 import classification_report
from seqeval.scheme import IOB2, IOBES

from bertline.data.entities import Entity, chunks
from bertline.statistics.metrics import f1_of, micro_of
from bertline.tasks.tag.entity_scores import EntityEvaluation, entity_figures, summed, text_counts
from bertline.tasks.tag.measure import compare_entities as compare
from bertline.tasks.tag.scheme import Name, Scheme

TYPES = ("x", "y-z", "w")
SCORES = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
Tags = list[list[str]]
ANY = st.lists(
    st.lists(
        st.tuples(*(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in TYPES)]) for _ in "12")), max_size=9
    ),
    min_size=1,
    max_size=4,
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")


def entities(tags: Tags) -> list[list[Entity]]:
    return [[Entity(*one) for one in chunks(text)] for text in tags]


def evaluate(truth: list[list[Entity]], predicted: list[list[Entity]], types: tuple[str, ...]) -> EntityEvaluation:
    figures = entity_figures(truth, predicted, types)
    nothing: dict[str, Any] = {"by_length": (), "slices": {}, "mistakes": (), "bins": ()}
    return EntityEvaluation(rows=len(truth), seed=0, temperature=1.0, **nothing, **figures)


def micro_f1(truth: list[list[Entity]], predicted: list[list[Entity]], types: tuple[str, ...]) -> float:
    return float(micro_of(f1_of, summed(text_counts(truth, predicted, types))))


def drawn(name: Name, seed: int, texts: int = 60) -> tuple[Tags, Tags]:
    """Valid tags of the truth and of a model that is often right."""
    scheme, rng = Scheme(name, TYPES), np.random.default_rng(seed)

    def tags(spans: list[tuple[int, int, int]]) -> list[str]:
        return [scheme.labels[one] for one in scheme.spell(30, spans)]

    truth, predicted = [], []
    for _ in range(texts):
        spans = [
            (at, at + int(rng.integers(1, 4)), int(rng.integers(3))) for at in range(0, 28, 5) if rng.random() < 0.5
        ]
        seen = [
            (a + int(rng.random() < 0.1), max(b, a + 2), int(rng.integers(3)) if rng.random() < 0.2 else k)
            for a, b, k in spans
        ]
        truth.append(tags(spans))
        predicted.append(tags([one for one in seen if rng.random() < 0.8]))
    return truth, predicted


@settings(max_examples=200)
@given(ANY)
def test_any_tags_are_counted_as_by_seqeval(pairs: list[list[tuple[str, str]]]) -> None:
    """T1: by default, which is the rule of conlleval, for tags that no scheme allows too."""
    truth, predicted = ([[pair[i] for pair in text] for text in pairs] for i in range(2))
    figures = evaluate(entities(truth), entities(predicted), TYPES)
    for name, score in SCORES.items():
        assert figures.micro[name].value == pytest.approx(score(truth, predicted, zero_division=0), abs=1e-12)
        assert figures.macro[name].value == pytest.approx(
            score(truth, predicted, average="macro", zero_division=0)
            if any(map(any, map(entities, (truth, predicted))))
            else 0.0,
            abs=1e-12,
        )


@pytest.mark.parametrize(("name", "scheme"), [("BIO", IOB2), ("BIOES", IOBES)])
def test_valid_tags_are_counted_as_in_its_strict_mode(name: Name, scheme: type) -> None:
    truth, predicted = drawn(name, seed=1)
    figures = evaluate(entities(truth), entities(predicted), TYPES)
    report = classification_report(truth, predicted, scheme=scheme, output_dict=True, zero_division=0)
    for one in figures.types:
        theirs = report[one.label]
        assert (one.precision.value, one.recall.value, one.f1.value, one.support) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"]), abs=1e-12
        )
    for ours, theirs in ((figures.micro, report["micro avg"]), (figures.macro, report["macro avg"])):
        assert [ours[key].value for key in SCORES] == pytest.approx(
            [theirs["precision"], theirs["recall"], theirs["f1-score"]], abs=1e-12
        )


def test_intervals_come_from_resampled_texts() -> None:
    """T5: against a plain loop over 1,000 resamples; the ends differ by less than the Monte Carlo error of both."""
    truth, predicted = (entities(tags) for tags in drawn("BIO", seed=2))
    figures, rng = evaluate(truth, predicted, TYPES), np.random.default_rng(7)
    values = []
    for _ in range(1_000):
        rows = rng.integers(0, len(truth), size=len(truth))
        values.append(micro_f1([truth[i] for i in rows], [predicted[i] for i in rows], TYPES))
    f1 = figures.micro["f1"]
    assert [f1.low, f1.high] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.015)
    assert f1.value == micro_f1(truth, predicted, TYPES)
    assert f1.low < f1.value < f1.high


def test_a_few_right_entities_prove_little() -> None:
    truth = [[Entity(0, 1, "x")]] * 3
    [one] = evaluate(truth, truth, ("x",)).types
    assert (one.f1.value, one.f1.high) == (1.0, 1.0)
    assert one.f1.low < 0.7


def test_the_confusion_of_types() -> None:
    truth = [[Entity(0, 5, "x"), Entity(6, 9, "y"), Entity(10, 15, "x"), Entity(20, 25, "new")]]
    predicted = [[Entity(0, 4, "x"), Entity(6, 9, "x"), Entity(10, 15, "x"), Entity(30, 31, "y")]]
    figures = evaluate(truth, predicted, ("x", "y"))
    assert [one.label for one in figures.types] == ["x", "y", "new"]
    #                            x  y  new missed
    assert figures.confusion == ((2, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0))
    assert [one.boundary for one in figures.types] == [1, 0, 0]
    assert [(one.support, one.predicted) for one in figures.types] == [(2, 3), (1, 1), (1, 0)]
    assert figures.micro["f1"].value == 2 * 1 / (4 + 4)


def test_every_entity_is_in_the_confusion_once() -> None:
    truth, predicted = (entities(tags) for tags in drawn("BIOES", seed=3))
    matrix = np.array(evaluate(truth, predicted, TYPES).confusion)
    counts = text_counts(truth, predicted, TYPES).sum(axis=0).reshape(3, 3)
    assert matrix[:-1].sum(axis=1).tolist() == counts[1].tolist()
    assert matrix[:, :-1].sum(axis=0).tolist() == counts[2].tolist()
    boundary = [one.boundary for one in evaluate(truth, predicted, TYPES).types]
    assert (np.diagonal(matrix)[:-1] - boundary).tolist() == counts[0].tolist()


def test_two_taggers_on_the_same_texts() -> None:
    truth, predicted = (entities(tags) for tags in drawn("BIO", seed=4, texts=200))
    better = compare(truth, truth, predicted)
    assert (better.verdict, better.difference.value) == (1, pytest.approx(1 - micro_f1(truth, predicted, TYPES)))
    assert compare(truth, predicted, truth).verdict == -1
    same = compare(truth, predicted, predicted)
    assert (same.verdict, same.difference.low, same.difference.high) == (0, 0.0, 0.0)


def test_a_paired_interval_is_narrower_than_two_apart() -> None:
    truth, predicted = (entities(tags) for tags in drawn("BIO", seed=5, texts=200))
    other = [text if i % 10 else [] for i, text in enumerate(predicted)]
    paired, one, two = compare(truth, predicted, other), *(evaluate(truth, some, TYPES) for some in (predicted, other))
    assert paired.verdict == 1
    assert one.micro["f1"].low < two.micro["f1"].high
    assert paired.difference.width < one.micro["f1"].width + two.micro["f1"].width


def test_no_entities_anywhere() -> None:
    figures = evaluate([[], []], [[], []], ("x",))
    assert figures.micro["f1"].value == 0.0
    assert figures.to_json()["entities"] == 0


def test_the_figures_as_json() -> None:
    truth, predicted = (entities(tags) for tags in drawn("BIO", seed=6))
    content = evaluate(truth, predicted, TYPES).to_json()
    assert list(content) == [
        "rows",
        "entities",
        "temperature",
        "intervals",
        "metrics",
        "types",
        "unknown_types",
        "confusion",
        "reliability",
        "by_length",
        "slices",
        "mistakes",
    ]
    assert list(content["metrics"]) == ["precision", "recall", "f1", "macro_precision", "macro_recall", "macro_f1"]
    assert list(content["types"][0]) == ["label", "precision", "recall", "f1", "support", "predicted", "boundary"]
