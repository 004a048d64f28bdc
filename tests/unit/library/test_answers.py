"""Answers as a sequence, as text, as dictionaries, as a table, and as HTML in which nothing but ours is markup."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser

import pandas
import pytest

import bertline
from bertline.testing.words import WordCounter

TEXTS = ["good good bad", "bad", "good"]


@pytest.fixture(scope="module")
def answers() -> bertline.Answers:
    return WordCounter().model().predict(TEXTS)


class Page(HTMLParser):
    """The text and the tags of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_they_are_a_sequence(answers: bertline.Answers) -> None:
    assert len(answers) == 3
    assert answers.labels == ["positive", "negative", "positive"]
    assert answers[1] == answers[-2]
    assert isinstance(answers[1:], bertline.Answers)
    assert answers[1:].texts == ("bad", "good")
    assert answers[:0] == answers[3:]
    assert answers != list(answers)


def test_they_print_as_a_table(answers: bertline.Answers) -> None:
    assert repr(answers).splitlines() == [
        "3 answers by reviews (double)",
        "text           label     probability",
        "good good bad  positive        0.654",
        "bad            negative        0.900",
        "good           positive        0.900",
    ]
    assert repr(answers[:0]) == "0 answers by reviews (double)"
    assert repr(WordCounter().model().predict(["good"] * 21)).endswith("\n… 1 more")


def test_they_are_plain_json(answers: bertline.Answers) -> None:
    record = answers.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["model"] == "reviews (double)"
    assert record["answers"][1] == {
        "text": "bad",
        "label": "negative",
        "probabilities": [
            {"label": "negative", "probability": pytest.approx(0.9)},
            {"label": "positive", "probability": pytest.approx(0.1)},
        ],
        "read_tokens": 3,
        "cut_tokens": 0,
    }


def test_they_are_rows_and_a_table_of_pandas(answers: bertline.Answers) -> None:
    columns = ["text", "label", "probability", "read_tokens", "cut_tokens"]
    table = answers.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == columns
    assert table.to_dict("records") == answers.to_rows()
    assert list(answers[:0].to_pandas().columns) == columns


def test_without_pandas_the_error_says_how_to_get_it(
    answers: bertline.Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(bertline.UsageError) as refused:
        answers.to_pandas()
    assert str(refused.value) == "to_pandas needs pandas, which is not installed: pip install 'bertline[pandas]'"


def test_a_notebook_shows_each_text_with_a_bar_for_each_label(answers: bertline.Answers) -> None:
    html = answers._repr_html_()
    page = Page(html)
    assert page.tags.count("details") == 3
    assert html.count('class="track"') == 6
    assert 'class="fill best" style="width:90.0%"' in html
    assert "good good bad" in page.words
    assert "90.0\N{NARROW NO-BREAK SPACE}%" in page.words


def test_nothing_of_a_text_or_a_label_is_markup() -> None:
    evil = "<script>alert('x')</script>&amp;\""
    model = WordCounter((evil, "positive"), name="<b>bold</b>".replace("/", "")).model()
    answers = model.predict([evil])
    html = answers._repr_html_()
    page = Page(html)
    assert not {"script", "b"} & set(page.tags)
    assert evil in page.words
    assert "<script" not in html


def test_many_texts_are_folded_and_few_are_open() -> None:
    model = WordCounter().model()
    assert model.predict(["good"] * 3)._repr_html_().count("<details open>") == 3
    html = model.predict(["good"] * 53)._repr_html_()
    assert "<details open>" not in html
    assert html.count("<details>") == 50
    assert "… 3 more" in html


def test_of_many_labels_the_first_have_bars() -> None:
    labels = ["negative", "positive", *(f"label {number}" for number in range(18))]
    html = WordCounter(labels).model().predict(["good"])._repr_html_()
    assert html.count('class="track"') == 12
    assert "8 more labels" in html


def test_a_text_that_was_cut_says_so() -> None:
    html = WordCounter(max_tokens=6).model().predict(["good " * 10])._repr_html_()
    assert "6 tokens, 6 cut" in html
