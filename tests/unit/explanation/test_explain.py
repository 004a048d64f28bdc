"""A model whose words have known weights, through the real tokenizer, and a real tiny bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.explanation.explain import explain
from bertline.explanation.settings import ExplainSettings, Method
from bertline.inference import load_predictor
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import Spec as Embeds
from bertline.tasks.rank.spec import Spec as Ranks
from bertline.testing.tiny import tiny_tokenizer, write_tiny_bundle
from bertline.text import Input, Reading
from bertline.text.reading import texts_of

METHODS: tuple[Method, ...] = ("linear", "shapley", "partition", "leave-one-out")
WEIGHTS = {"good": 2.0, "bad": -1.5, "film": 0.25}


class Weighing:
    """Its logit is the sum of its words' weights, and "not" turns the sign."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec, self.tokenizer, self.asked = spec, tiny_tokenizer(), 0

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        self.asked += len(texts)
        arrays = []
        for one in texts:
            words = " ".join(texts_of(one)).lower().replace(".", " ").split()
            logit = sum(WEIGHTS.get(word, 0.0) for word in words) * (-1 if "not" in words else 1)
            arrays.append([np.array([0.0] * (len(self.spec.labels) - 1) + [logit])])
        return [Reading([], 5, input=one) for one in texts], arrays


LABELS = Spec(labels=("negative", "positive"))


def shares(model: Weighing, one: Input, **settings: Any) -> dict[str, float]:
    found = explain(model, one, ExplainSettings(**settings), "positive")
    return {part.word.text: round(part.share, 6) for part in found.words}


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_found(method: Method) -> None:
    assert shares(Weighing(LABELS), "a good film", method=method) == {"a": 0.0, "good": 2.0, "film": 0.25}


def test_what_words_mean_together_is_shared() -> None:
    assert shares(Weighing(LABELS), "not good", method="shapley") == {"not": -2.0, "good": 0.0}
    found = shares(Weighing(LABELS), "not good")
    assert found["not"] < found["good"] < 0  # without "not", "good" is right; without "good", there is nothing to turn


def test_the_label_of_the_answer_is_explained_unless_another_is_asked_for() -> None:
    model = Weighing(LABELS)
    found = explain(model, "bad film", ExplainSettings())
    assert (found.name, found.unit) == ("negative", "log-odds")
    assert found.value == pytest.approx(1.25)
    assert found.shown == pytest.approx(1 / (1 + np.exp(-1.25)))
    assert explain(model, "bad film", ExplainSettings(), "positive").value == pytest.approx(-1.25)


@pytest.mark.parametrize(
    "spec",
    [
        Spec(problem="several", labels=("a", "positive")),
        Spec(problem="number", labels=("positive",)),
        Ranks(highest=3.0),
    ],
    ids=["several", "number", "rank"],
)
def test_other_kinds_of_answers(spec: TaskSpec) -> None:
    one: Input = ("film", "good") if spec.pairs else "good film"
    found = explain(Weighing(spec), one, ExplainSettings(), spec.labels[-1])
    assert {part.word.text: round(part.share, 6) for part in found.words} == {"good": 2.0, "film": 0.25}
    assert [part.word.side for part in found.words] == ([0, 1] if spec.pairs else [0, 0])


def test_faithfulness_is_the_fall_of_the_probability() -> None:
    model = Weighing(Spec(problem="number", labels=("positive",)))
    found = explain(model, "a good film", ExplainSettings())
    assert found.faithfulness is not None
    # 1, 1, 1, 1 and 2 of 3 words: good goes, then film too.
    assert found.faithfulness.comprehensiveness == pytest.approx((4 * 2.0 + 2.25) / 5)
    assert found.faithfulness.sufficiency == pytest.approx((4 * 0.25 + 0.0) / 5)
    assert explain(model, "a good film", ExplainSettings(skip_faithfulness=True)).faithfulness is None


@pytest.mark.parametrize("method", METHODS)
def test_long_texts_go_by_sentences_and_keep_the_budget(method: Method) -> None:
    model = Weighing(LABELS)
    text = " ".join(["A film it was and so it went on."] * 9 + ["Good good good."] + ["A bad end of it."])
    found = explain(model, text, ExplainSettings(method=method, budget=400, skip_faithfulness=True), "positive")
    assert found.answers <= 400
    assert model.asked == found.answers + 1
    top = found.top(4)
    assert {part.word.text for part in top} == {"Good", "good", "bad"}
    if method != "leave-one-out":
        assert sum(part.share for part in found.words) + found.base == pytest.approx(found.value, abs=1e-6)


def test_questions_without_an_answer() -> None:
    with pytest.raises(UsageError, match="has no label 'great': choose one of negative, positive"):
        explain(Weighing(LABELS), "good", ExplainSettings(), "great")
    with pytest.raises(UsageError, match="no word that the model reads: give one with letters or digits"):
        explain(Weighing(LABELS), " ", ExplainSettings())
    with pytest.raises(UsageError, match="answers of the task embed cannot be explained: use a classifier, a tagg"):
        explain(Weighing(Embeds()), "good", ExplainSettings())
    with pytest.raises(UsageError, match=r"a budget of 8 answers is too small for 20 words: raise it"):
        explain(Weighing(LABELS), "good film " * 10, ExplainSettings(budget=8))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.mark.parametrize("method", ["linear", "shapley", "partition"])
@pytest.mark.parametrize("removal", ["delete", "mask"])
def test_an_engine_explains_its_own_answers(bundle: Path, method: Method, removal: str) -> None:
    predictor = load_predictor(bundle)
    text = "I didn't like the film, but the end was good and so on."
    settings = ExplainSettings.model_validate({"method": method, "removal": removal, "budget": 150})
    found = explain(predictor, text, settings)
    (answer,) = predictor.predict([text])
    assert found.name == answer.label
    assert found.shown == pytest.approx(answer.probabilities[answer.label])
    assert sum(part.share for part in found.words) + found.base == pytest.approx(found.value, abs=1e-6)
    assert explain(predictor, text, settings) == found
    assert found.to_json()["words"][1]["text"] == "didn't"
