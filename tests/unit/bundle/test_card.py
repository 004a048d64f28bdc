from __future__ import annotations

from typing import Any

import pytest
from huggingface_hub import ModelCard

from bertline.bundle import Manifest, model_card
from bertline.tasks.classify.spec import Spec as Classification
from bertline.tasks.tag.spec import Spec as Tagging


def card(manifest: Manifest, **changes: Any) -> str:
    return model_card(Manifest(**{**dict(manifest), **changes}))


def test_the_hub_reads_it(manifest: Manifest) -> None:
    read = ModelCard(card(manifest, metrics={"accuracy": 0.8}))
    assert "pipeline_tag: text-classification" in str(read.data)
    assert read.text.startswith("\n# reviews\n") or read.text.startswith("# reviews\n")


def test_results_are_a_table_with_intervals_and_baselines(manifest: Manifest) -> None:
    text = card(
        manifest,
        metrics={
            "rows": 1000,
            "split": "held out, seed 0",
            "accuracy": {"value": 0.845, "low": 0.822, "high": 0.866},
            "nll": 0.3712,
            "baselines": {"TF-IDF": {"accuracy": 0.78}, "majority": {"accuracy": {"value": 0.5}}},
        },
    )
    assert "Measured on 1,000 rows that were not trained on (held out, seed 0)." in text
    assert "| figure | this model | 95\u202f% interval | TF-IDF | majority |" in text
    assert "| accuracy | 84.5 % | 82.2–86.6 | 78.0 % | 50.0 % |" in text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "| negative log-likelihood | 0.371 |  |  |  |" in text


@pytest.mark.parametrize(("simple", "ahead"), [(0.851, True), (0.845, False), (0.8, False)])
def test_a_simpler_model_that_is_ahead_is_named(manifest: Manifest, simple: float, ahead: bool) -> None:
    baselines = {"Majority class": {"accuracy": 0.5}, "TF-IDF": {"accuracy": simple, "macro_f1": 0.1}}
    text = card(manifest, metrics={"rows": 9, "accuracy": 0.845, "macro_f1": 0.2, "baselines": baselines})
    sentence = (
        "**A simpler model is ahead on these rows: TF-IDF has the accuracy 85.1 % instead of 84.5 %.** It is smaller"
    )
    assert (sentence in text.replace("\N{NARROW NO-BREAK SPACE}", " ")) is ahead
    assert ("A simpler model is ahead" in text) is ahead


def test_a_linear_model_that_is_kept_has_a_section(manifest: Manifest) -> None:
    kept = {"rows": 1853, "accuracy": 0.912, "encoder_accuracy": 0.84, "p_value": 1e-9, "C": 16.0}
    text = card(manifest, metrics={"rows": 9, "accuracy": 0.845, "words": kept}).replace("\u202f", " ")
    sentence = (
        "On 1,853 validation rows, a linear model of words has the accuracy 91.2 % and the encoder 84.0 %. The bundle"
    )
    assert f"## The linear model of words\n\n{sentence}\nkeeps it as the engine `words`" in text
    assert "bertline serve reviews --engine words" in text
    assert "linear model of words" not in card(manifest, metrics={"accuracy": 0.845})


def test_missing_records_are_reported(manifest: Manifest) -> None:
    text = card(manifest)
    assert "## Results\n\nNot measured.\n" in text
    assert "## Data\n\nNot recorded.\n" in text


def test_facts_are_tables(manifest: Manifest) -> None:
    text = card(manifest, data={"source": "a|b.csv", "split": {"train": 8, "test": 1}, "seeds": [1, 2]})
    assert "| source | a&#124;b.csv |\n| split: train | 8 |\n| split: test | 1 |\n| seeds | &#91;1, 2] |" in text


def test_transformers_usage_divides_by_the_temperature(manifest: Manifest) -> None:
    text = card(manifest)
    assert "logits / 1.25).softmax(-1)" in text
    assert "max_length=256" in text
    assert "Of a text longer than 256 tokens `transformers` reads the first ones only" in text
    assert "The head is ours" not in text


def test_with_head_truncation_both_read_the_same(manifest: Manifest) -> None:
    text = card(manifest, truncation="head")
    assert "`transformers` reads the first ones only" not in text
    assert "it reads only the first ones; bertline reports" in text


@pytest.mark.parametrize("pooling", ["mean", "normalised"])
def test_mean_pooling_says_that_the_head_is_ours(manifest: Manifest, pooling: str) -> None:
    text = card(manifest, pooling=pooling)
    assert "**The head is ours.**" in text
    assert "AutoModelForSequenceClassification" not in text


def test_many_labels_are_not_all_listed(manifest: Manifest) -> None:
    text = card(manifest, labels=tuple(f"topic {i}" for i in range(60)))
    assert "with 60 labels: **topic 0**, " in text
    assert "**topic 49** and 10 more.\n" in text


@pytest.mark.parametrize("label", ["<script>", "a|b", "`x`", "*bold*", "[link](x)", "two\nlines"])
def test_labels_carry_no_markup(manifest: Manifest, label: str) -> None:
    summary = card(manifest, labels=(label, "other")).split("# reviews")[1].split("## Use")[0]
    assert not set("<|`[\n") & set(summary.split("labels: **")[1].split("**, **other**")[0])


def test_a_name_with_quotes_stays_one_argument(manifest: Manifest) -> None:
    text = card(manifest, name='my "own" model')
    assert 'bertline predict \'my "own" model\' "a text"' in text
    assert 'directory = "my \\"own\\" model"' in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"task": Tagging(types=("person", "place")), "pooling": "none", "truncation": "window"},
            "A tagger: it finds entities of 2 types: **person**, **place**.\n"
            "The head is one linear layer on the last hidden state of each token.\n"
            "It reads up to 256 tokens of a text at a time. Its probabilities are calibrated",
        ),
        (
            {"task": Classification(problem="several", labels=("sport", "art"), thresholds=(0.5, 0.2))},
            "A classifier of texts with 2 labels: **sport**, **art**. A text may have several.\n",
        ),
        (
            {"task": Classification(labels=("yes", "no"), reads="pair")},
            "A classifier of pairs of texts with 2 labels: **yes**, **no**.\n",
        ),
        (
            {"task": Classification(problem="number", labels=("stars",))},
            "A regression model: it predicts the number **stars**.\n",
        ),
    ],
)
def test_the_summary_says_what_the_model_predicts(manifest: Manifest, changes: dict[str, Any], sentence: str) -> None:
    text = card(manifest, **changes)
    assert sentence in text
    assert ("calibrated" in text.split("## Use")[0]) == ("number" not in sentence)
