"""Answers of models for several labels, numbers, entities, words and pairs: in every form that answers have."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

import bertline
from bertline.tasks.classify.spec import Spec as Classification
from bertline.tasks.fill.spec import Spec as Filling
from bertline.tasks.rank.spec import Spec as Ranking
from bertline.tasks.tag.spec import Spec as Tagging
from bertline.testing.tiny import random_texts, write_tiny_bundle

TEXTS = ["a film", "Cafe\u0301 <b>in</b>\r\nSa\u0303o 🙂 & it", *random_texts(4), " ".join(random_texts(8))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    several = Classification(problem="several", labels=("sport", "money"), thresholds=(0.5, 0.2))
    write_tiny_bundle(folder / "topics", task=several)
    write_tiny_bundle(folder / "stars", task=Classification(problem="number", labels=("stars",)))
    write_tiny_bundle(folder / "tagger", task=Tagging(types=("person", "place")), pooling="none", truncation="window")
    write_tiny_bundle(folder / "words", task=Filling(), pooling="none", truncation="window")
    write_tiny_bundle(folder / "pairs", pairs=True)
    write_tiny_bundle(folder / "ranker", task=Ranking())
    write_tiny_bundle(folder / "plain")
    return folder


def test_entities_are_rows_dictionaries_and_a_table(folder: Path) -> None:
    answers = bertline.load(folder / "tagger").tag(TEXTS)
    assert answers == bertline.load(folder / "tagger").predict(TEXTS)
    record = answers.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["answers"] == answers.to_dicts()
    for text, answer, row in zip(TEXTS, answers.to_dicts(), answers.to_rows(), strict=True):
        assert (answer["text"], answer["cut_tokens"]) == (text, 0)
        assert all(text[one["start"] : one["end"]] == one["text"] for one in answer["entities"])
        assert row["entities"] == answer["entities"]
    assert list(answers.to_pandas().columns) == ["text", "entities", "read_tokens", "cut_tokens"]
    first, *_ = (one for one in answers[-1].entities)
    assert repr(answers[-1:]).splitlines()[0] == "1 answer by tagger (torch)"
    assert f"{first.text} ({first.entity.label})" in repr(answers)


def test_entities_are_marked_in_a_notebook_and_the_text_around_them_is_whole(folder: Path) -> None:
    answers = bertline.load(folder / "tagger").tag(TEXTS[:2])
    shown = re.findall(r'<p class="marked">(.*?)</p>', answers._repr_html_(), flags=re.DOTALL)
    assert len(shown) == 2
    for text, one, answer in zip(TEXTS, shown, answers, strict=False):
        marks = re.findall(r"<mark title=\"(.*?)\">(.*?)<small>(.*?)</small></mark>", one, flags=re.DOTALL)
        assert [(html.unescape(inner), kind) for _, inner, kind in marks] == [
            (each.text, each.entity.label) for each in answer.entities
        ]
        plain = re.sub(r"<small>.*?</small>|</?mark.*?>", "", one)
        assert html.unescape(plain) == text
        assert "<" not in plain


def test_several_labels(folder: Path) -> None:
    answers = bertline.load(folder / "topics").predict(TEXTS)
    assert answers.labels == [one.label for one in answers]
    for row, one in zip(answers.to_rows(), answers, strict=True):
        assert row["labels"] == list(one.labels)
    html = answers._repr_html_()
    assert html.count("<details") == len(TEXTS)
    assert html.count('class="fill best"') == sum(len(one.labels) for one in answers)


def test_numbers(folder: Path) -> None:
    answers = bertline.load(folder / "stars").predict(TEXTS)
    assert [row["number"] for row in answers.to_rows()] == [one.number for one in answers]
    assert "number" in repr(answers).splitlines()[1]
    assert f"{answers[0].number:,.4g}" in answers._repr_html_()
    with pytest.raises(bertline.UsageError, match=r"the answers of stars \(torch\) have no labels: use answers\[0\]"):
        answers.labels  # noqa: B018


def test_pairs(folder: Path) -> None:
    model = bertline.load(folder / "pairs")
    answers = model.predict([("a film", "it is"), "a film"])
    assert answers.to_dicts()[0].items() >= {"text": "a film", "text_pair": "it is"}.items()
    assert "text_pair" not in answers.to_dicts()[1]
    assert answers[0] != answers[1]
    assert "a film · it is" in answers._repr_html_()
    with pytest.raises(bertline.UsageError, match=r"predict takes strings and pairs of strings: leave it out"):
        model.predict([("a", "b", "c")])  # type: ignore[list-item]
    with pytest.raises(bertline.UsageError, match=r"texts\[0\] is .* \(tuple\), and predict takes strings: leave it"):
        bertline.load(folder / "plain").predict([("a", "b")])


def test_a_classifier_finds_no_entities(folder: Path) -> None:
    with pytest.raises(bertline.UsageError, match="plain finds no entities, its task is classify: use predict"):
        bertline.load(folder / "plain").tag(["a film"])


def test_texts_are_ranked_for_a_query(folder: Path) -> None:
    model, texts = bertline.load(folder / "ranker"), random_texts(9, seed=3)
    ranking = model.rank("a film", texts)
    scores = [one.score for one in model.predict([("a film", text) for text in texts])]
    assert [one.index for one in ranking] == sorted(range(9), key=lambda i: -scores[i])
    assert all((one.score, one.text) == (scores[one.index], texts[one.index]) for one in ranking)
    assert model.rank("a film", iter(texts), top_k=2) == ranking[:2]
    assert model.rank("a film", []) == []
    same = model.rank("a film", ["is", "is"])
    assert [one.index for one in same] == [0, 1]
    with pytest.raises(bertline.UsageError, match=r"was given one string: write rank\(query, \[text\]\)"):
        model.rank("a film", "is")
    with pytest.raises(bertline.UsageError, match=r"plain ranks no texts, its task is classify: use predict"):
        bertline.load(folder / "plain").rank("a film", texts)


def test_words_are_rows_bars_and_a_table(folder: Path) -> None:
    model = bertline.load(folder / "words")
    texts = ["a [MASK] <b>is</b>", "an [MASK] at [MASK]"]
    answers = model.fill(texts)
    assert answers == model.predict(texts)
    record = answers.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert [one.filled for one in answers] == [row["filled"] for row in answers.to_rows()]
    assert list(answers.to_pandas().columns) == ["text", "filled", "masks", "cut_masks", "read_tokens", "cut_tokens"]
    assert [len(mask.candidates) for mask in answers[1].masks] == [5, 5]
    bars = re.findall(r'<span class="name[^"]*">(.*?)</span>', answers._repr_html_())
    words = [one.token for answer in answers for mask in answer.masks for one in mask.candidates]
    assert bars == [html.escape(word) for word in words]
    [few] = model.fill(texts[:1], top_k=1, targets=["is", "filmy"])
    assert [one.targets for one in few.masks[0].candidates] in ([()], [("filmy",)])
    assert repr(model) == f"<Model words {model.version}: fill; engine torch, 32 tokens>"


def test_what_fill_does_not_take(folder: Path) -> None:
    model = bertline.load(folder / "words")
    with pytest.raises(bertline.UsageError) as caught:
        model.fill(["a [MASK]", "a film"])
    assert str(caught.value) == "texts[1] has no [MASK]: write [MASK] where a word is to be filled in"
    with pytest.raises(bertline.UsageError, match=r"texts\[0\] has no \[MASK\]"):
        model.predict(["a film"])
    with pytest.raises(bertline.UsageError, match=r"targets is one string: write targets=\[word\]"):
        model.fill(["a [MASK]"], targets="is")
    with pytest.raises(bertline.UsageError, match="plain fills in no words, its task is classify: use predict"):
        bertline.load(folder / "plain").fill(["a [MASK]"])


def test_a_checkpoint_becomes_a_bundle_and_is_opened(folder: Path, tmp_path: Path) -> None:
    model = bertline.import_model(str(folder / "words"), out=tmp_path / "again", max_tokens=16)
    assert (model.task, model.engine, model.max_tokens) == ("fill", "fp32", 16)
    [one], [other] = (each.fill(["a [MASK]"]) for each in (model, bertline.load(folder / "words")))
    assert [word.id for word in one.masks[0].candidates] == [word.id for word in other.masks[0].candidates]
