"""Baselines for the encoder, by the kind of its evaluation, trained and evaluated on the same texts.

A baseline answers with targets. They become the arrays of a network that is sure of them, so that the task itself
measures them, and compares them with the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.data.examples import Example
from bertline.evaluation import tfidf
from bertline.evaluation.bm25 import bm25
from bertline.evaluation.commonest import commonest, commonest_set, entities_by_word, mean, types_of_words
from bertline.evaluation.kinds import kind_of
from bertline.statistics.figures import plain
from bertline.statistics.intervals import Estimate
from bertline.tasks import task
from bertline.tasks.classify.number import NumberEvaluation
from bertline.tasks.classify.one_label import Evaluation as OneLabelEvaluation
from bertline.tasks.classify.several_labels import SeveralEvaluation
from bertline.tasks.contract import Comparison, Evaluation, TaskSpec
from bertline.tasks.embed.measure import EmbedEvaluation
from bertline.tasks.measured import Arrays
from bertline.tasks.rank.measure import RankEvaluation
from bertline.tasks.tag.entity_scores import EntityEvaluation
from bertline.text.reading import Input, Reading, texts_of

SURE = 30.0  # the sigmoid of this logit is 1 − 1e-13, which no threshold is above

Examples = Sequence[Example]
# From training examples, validation examples and inputs to the answers, and a sentence about them.
Recipe = Callable[[Examples, Examples, Sequence[Input]], tuple[Sequence[Any], str]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple model on the evaluated texts.

    Attributes:
        name: of the model.
        detail: how it was made.
        figures: its figures by their names in JSON, the score first.
        encoder_gain: the encoder compared with it.
    """

    name: str
    detail: str
    figures: Mapping[str, Estimate]
    encoder_gain: Comparison

    @property
    def figure(self) -> str:
        """Name of the score."""
        return next(iter(self.figures))

    @property
    def score(self) -> Estimate:
        """The score."""
        return self.figures[self.figure]

    @property
    def others(self) -> dict[str, Estimate]:
        """The figures without the score."""
        return {name: estimate for name, estimate in self.figures.items() if name != self.figure}

    def to_json(self) -> dict[str, Any]:
        """All fields by name; the difference by the name of the score."""
        gain = self.encoder_gain
        return {
            "name": self.name,
            "detail": self.detail,
            **{name: estimate.to_json() for name, estimate in self.figures.items()},
            "encoder_gain": {
                self.figure: gain.difference.to_json(),
                "only_first": gain.only_first,
                "only_second": gain.only_second,
                "p_value": gain.p_value,
            },
        }


def measure_baselines(
    spec: TaskSpec,
    evaluation: Evaluation,
    *,
    train: Examples,
    validation: Examples,
    test: Examples,
    arrays: Arrays,
    readings: Sequence[Reading],
    others: Sequence[tuple[str, str, Arrays]] = (),
) -> tuple[Baseline, ...]:
    """Fit the baselines of this kind of evaluation and measure them on the encoder's texts.

    Args:
        spec: of the encoder.
        evaluation: of the encoder on the test examples.
        train: what the encoder was trained on.
        validation: choose the regularisation.
        test: the evaluated examples.
        arrays: the encoder's output for them.
        readings: of their texts.
        others: further baselines, which come first: name, detail, and output for the evaluated texts.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    part, compared = task(spec.task).measure, kind_of(evaluation).compared
    truth, inputs = [example.target for example in test], [example.input for example in test]
    out: list[Baseline] = []
    guesses: list[tuple[str, str, Arrays]] = [*others]
    for name, recipe in BASELINES.get(type(evaluation), ()):
        answers, detail = recipe(train, validation, inputs)
        sure = answers if spec.apart else [_sure(spec, *each) for each in zip(answers, readings, strict=True)]
        guesses.append((name, detail, sure))
    for name, detail, guess in guesses:
        metrics = part.measure(spec, truth, guess, readings, seed=evaluation.seed).metrics()
        figures = {figure: Estimate(**metrics[figure]) for figure in compared if figure in metrics}
        gain = part.compare(spec, truth, arrays, guess, readings, seed=evaluation.seed)
        out.append(Baseline(name, detail, figures, gain))
    return tuple(out)


def _text(one: Input) -> str:
    return " ".join(texts_of(one))


def _sure(spec: TaskSpec, target: Any, reading: Reading) -> list[np.ndarray[Any, Any]]:
    """The output of a network that is sure of a target, for each piece of a text."""
    out = []
    for array in spec.arrays(target, reading):
        if spec.problem_type == "regression":
            out.append(array)
        elif np.issubdtype(array.dtype, np.integer):  # places of labels; unlabelled tokens get any
            out.append(SURE * np.eye(len(spec.labels))[np.maximum(array, 0)])
        else:
            out.append(SURE * (2 * array - 1))
    return out


def _majority(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    label = commonest([str(example.target) for example in train])
    return [label] * len(inputs), f"always “{label}”"


def _usual_set(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    labels = commonest_set(_targets(train))
    return [labels] * len(inputs), "always " + (", ".join(f"“{label}”" for label in labels) or "no label")


def _mean(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    number = mean(_targets(train))
    return [number] * len(inputs), f"always {plain(number)}"


def _usual_types(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    types = types_of_words([_text(example.input) for example in train], _targets(train))
    detail = f"of {len(types):,} words that are mostly in an entity; neighbours of one type are one entity"
    return [entities_by_word(_text(one), types) for one in inputs], detail


def _words(fit: Callable[..., tuple[Sequence[Any], float]], strength: str) -> Recipe:
    def recipe(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
        split = [
            some
            for examples in (train, validation)
            for some in ([_text(each.input) for each in examples], _targets(examples))
        ]
        answers, chosen = fit(*split, [*map(_text, inputs)])
        detail = f"words and word pairs; {strength} = {chosen:g}, chosen on the validation texts"
        return answers, detail if chosen else "nothing to learn from the words of the training texts"

    return recipe


def _any_order(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    return [0.0] * len(inputs), "expected of a random order"


def _bm25(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    held_out = [texts_of(one) for one in inputs]
    known = [texts_of(example.input) for example in (*train, *validation)]
    scores = bm25([(query, text) for query, text in held_out], [text for _, text in (*known, *held_out)])
    return scores, "by the words that a text shares with its query; word weights from all texts of the table"


def _tfidf_vectors(train: Examples, validation: Examples, inputs: Sequence[Input]) -> tuple[Sequence[Any], str]:
    """Of each text of an input."""
    known = [text for example in (*train, *validation) for text in texts_of(example.input)]
    vectors = iter(tfidf.vectors(known, [text for one in inputs for text in texts_of(one)]))
    words = "cosines of the words' weights, which come from the training and validation texts"
    return [[next(vectors) for _ in texts_of(one)] for one in inputs], words


def _targets(examples: Examples) -> list[Any]:
    return [example.target for example in examples]


BASELINES: Mapping[type, Sequence[tuple[str, Recipe]]] = {
    OneLabelEvaluation: (("Majority class", _majority), ("TF-IDF + logistic regression", _words(tfidf.one_label, "C"))),
    SeveralEvaluation: (
        ("Commonest set", _usual_set),
        ("TF-IDF + logistic regression", _words(tfidf.several_labels, "C")),
    ),
    NumberEvaluation: (("Mean", _mean), ("TF-IDF + ridge regression", _words(tfidf.numbers, "α"))),
    EntityEvaluation: (("Usual type of each word", _usual_types),),
    RankEvaluation: (("Random order", _any_order), ("BM25", _bm25)),
    EmbedEvaluation: (("TF-IDF vectors", _tfidf_vectors),),
}
