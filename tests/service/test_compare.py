"""Two loaded versions compared over HTTP, on a text and on a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from bertline.data.batching import Batch
from bertline.service import ServeSettings
from bertline.service.comparing import MOST_ROWS
from bertline.statistics.paired import mcnemar
from bertline.testing.words import Gated, WordCounter, WordFiller, WordRanker, WordTagger
from tests.service.live import live, warm

BOTH = {"first": {"model": "old"}, "second": {"model": "new"}}


class Sceptic(WordCounter):
    """Finds texts with an even number of tokens worse than they are."""

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        rows = super().compute(output, batch)
        if output != "logits":
            return rows
        return np.asarray(rows + (batch.attend.sum(1, keepdims=True) % 2 == 0) * np.array([[3.0, 0.0]], np.float32))


class OneWord(WordTagger):
    """Overlooks blame."""

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        found = super().compute(output, batch)
        if output == "tags":
            found[..., 3] = 0
        return found


class Contrary(WordRanker):
    """Ranks the other way round."""

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        return -super().compute(output, batch)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"old": WordCounter(max_tokens=32), "new": Sceptic(max_tokens=32, name="newer")}
    models |= {"tagger": WordTagger(), "tagger2": OneWord(name="tagger2")}
    models |= {"ranker": WordRanker(), "ranker2": Contrary(name="ranker2")}
    models |= {"filler": WordFiller(), "filler2": WordFiller(name="filler2")}
    models["embedder"] = WordCounter((), name="embedder", task={"task": "embed"})
    models["embedder2"] = WordCounter((), name="embedder2", task={"task": "embed"})
    with live(models, ServeSettings(drain_s=0)) as one:
        yield warm(one).rstrip("/")


def sides(first: str, second: str) -> dict[str, dict[str, str]]:
    return {"first": {"model": first}, "second": {"model": second}}


def asked(url: str, path: str = "/v1/compare/table", /, **body: Any) -> dict[str, Any]:
    answer = httpx.post(url + path, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows_of(count: int = 120) -> list[dict[str, object]]:
    """Labelled by the first model, but for every tenth row."""
    rows: list[dict[str, object]] = []
    for place in range(count):
        good, bad = place % 3, place % 2
        label = "positive" if good > bad else "negative"
        if place % 10 == 0:
            label = "negative" if label == "positive" else "positive"
        text = f"a {'good ' * good}{'bad ' * bad}{'long ' * (place % 4)}film"
        rows.append({"text": text, "label": label, "genre": ("drama", "comedy")[place % 2]})
    return rows


def test_the_loaded_versions_are_listed(url: str) -> None:
    found = httpx.get(f"{url}/v1/compare").json()
    assert found["most_rows"] == MOST_ROWS
    first = found["versions"][0]
    assert (first["model"], first["role"], first["engine"], first["ready"]) == ("old", "current", "double", True)
    assert first["digest"].startswith(first["version"])


def test_both_answers_to_a_text(url: str) -> None:
    found = asked(url, "/v1/compare", **BOTH, text="a good bad film is")
    assert (found["first"]["prediction"]["label"], found["second"]["prediction"]["label"]) == ("negative", "negative")
    assert found["agree"] is True
    plain = httpx.post(f"{url}/v1/predict", json={"model": "new", "text": "a good film so"}).json()["predictions"][0]
    found = asked(url, "/v1/compare", **BOTH, text="a good film so")
    assert found["second"]["prediction"] == plain
    assert (found["agree"], found["shift"] > 0.3) == (False, True)
    assert found["first"]["took_ms"] > 0


def test_a_table_with_labels(url: str) -> None:
    rows = rows_of()
    found = asked(url, **BOTH, rows=rows, slice_columns=["genre"])
    answers, labelled = found["answers"], found["labelled"]
    right = [
        [label == row["label"] for label, row in zip(answers[side], rows, strict=True)] for side in ("first", "second")
    ]
    assert [answers["first_right"], answers["second_right"]] == right
    assert (
        found["agreement"]["differ"]
        == sum(a != b for a, b in zip(answers["first"], answers["second"], strict=True))
        > 5
    )
    only = [sum(a and not b for a, b in zip(*pair, strict=True)) for pair in (right, right[::-1])]
    test = labelled["test"]
    assert [test["only_second"], test["only_first"]] == only
    assert test["p_value"] == mcnemar(*only)
    assert test["sentence"].startswith("A is better: accuracy \N{MINUS SIGN}")
    figures = {one["name"]: one for one in labelled["figures"]}
    accuracies = [figures["accuracy"][side]["value"] for side in ("first", "second")]
    assert accuracies == pytest.approx([np.mean(one) for one in right])
    assert test["difference"]["value"] == pytest.approx(accuracies[1] - accuracies[0])
    assert np.trace(labelled["confusion"]["first"]) == sum(right[0])
    drama = next(one for one in labelled["slices"] if one["name"] == "genre = drama")
    assert drama["first"] == pytest.approx(np.mean(right[0][::2]))
    assert drama["second"] == pytest.approx(np.mean(right[1][::2]))
    assert labelled["checks"][0]["decision"] == "no"
    assert found["changes"][0] == {"first": "positive", "second": "negative", "rows": found["agreement"]["differ"]}
    assert found["latency"]["texts"] == 100
    assert found["latency"]["first"]["p50_ms"] <= found["latency"]["first"]["p99_ms"]


def test_the_same_version_twice_differs_nowhere(url: str) -> None:
    found = asked(url, **sides("old", "old"), rows=rows_of(40))
    assert found["agreement"]["differ"] == 0
    assert set(found["answers"]["shift"]) == {0}
    assert found["labelled"]["test"]["sentence"] == "Both have the same rows right: accuracy does not differ."


def test_rows_without_labels_only_say_where_they_differ(url: str) -> None:
    found = asked(url, **BOTH, rows=[{"text": row["text"]} for row in rows_of(40)])
    assert found["labelled"] is None
    assert found["agreement"]["differ"] > 0
    assert set(found["answers"]["first_right"]) == {None}
    assert asked(url, **BOTH, rows=rows_of(40), labelled=False)["labelled"] is None


def test_entities_rankings_words_and_embeddings(url: str) -> None:
    texts = ["a good film", "a bad film", "good bad", "a film"]
    entities = [[[2, 6, "praise"]], [[2, 5, "blame"]], [[0, 4, "praise"], [5, 8, "blame"]], []]
    rows: list[dict[str, object]] = [{"text": text, "entities": own} for text, own in zip(texts, entities, strict=True)]
    found = asked(url, **sides("tagger", "tagger2"), rows=rows)
    assert found["answers"]["agree"] == [True, False, False, True]
    assert found["answers"]["second"][2] == [{"start": 0, "end": 4, "label": "praise"}]
    assert found["labelled"]["test"]["score"] == "F1"
    rows = [{"query": "q", "text": text, "score": place % 2} for place, text in enumerate(texts)]
    found = asked(url, **sides("ranker", "ranker2"), rows=rows)
    assert found["answers"]["agree"].count(False) >= 2
    assert found["labelled"]["test"]["score"] == "NDCG@10"
    found = asked(url, **sides("filler", "filler2"), rows=[{"text": "a [MASK] film"}])
    assert (found["answers"]["first"], found["answers"]["agree"]) == ([["good"]], [True])
    found = asked(url, **sides("embedder", "embedder2"), rows=[{"text": text} for text in texts])
    assert found["answers"]["agree"] == [True] * 4
    assert found["answers"]["first"][0] in (1, 2, 3)


def test_progress_comes_line_by_line(url: str) -> None:
    head = {"Accept": "application/x-ndjson"}
    with httpx.stream("POST", f"{url}/v1/compare/table", json={**BOTH, "rows": rows_of(40)}, headers=head) as answer:
        lines = [json.loads(one) for one in answer.iter_lines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert lines[0] == {"done": 0, "of": 80}
    assert [one["done"] for one in lines[:-1]] == sorted(one["done"] for one in lines[:-1])
    assert lines[-1]["result"]["rows"] == 40


TOO_MANY: list[dict[str, object]] = [{"text": "a"}] * (MOST_ROWS + 1)
IDS: list[dict[str, object]] = [{"text": str(n), "id": str(n)} for n in range(60)]
NO_SLICES = "The column 'id' has 60 values, so they are no slices: name one with at most 50 in slice_columns."


@pytest.mark.parametrize(
    ("change", "status", "code", "message"),
    [
        ({"second": {"model": "nobody"}}, 404, "unknown_model", "There is no model of that name: "),
        ({"second": {"model": "new", "version": "0" * 12}}, 404, "unknown_model", "no such version loaded: it has "),
        ({"second": {"model": "tagger"}}, 422, "unsupported", "do not give the same kind of answers"),
        ({"rows": []}, 422, "out_of_range", "Rows has no rows: give rows with a text."),
        ({"rows": TOO_MANY}, 422, "too_many_texts", "rows has 10,001 rows and the limit is 10,000: send fewer."),
        ({"text_column": "body"}, 422, "out_of_range", "'body'"),
        ({"label_column": "genre"}, 422, "out_of_range", "that old knows"),
        ({"rows": IDS, "slice_columns": ["id"]}, 422, "out_of_range", NO_SLICES),
        ({"rows": [{"text": "x" * 50_001}]}, 422, "text_too_long", "rows[0]"),
        ({"depth": 1}, 422, "unknown_field", "depth"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_place(
    url: str, change: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = httpx.post(f"{url}/v1/compare/table", json={**BOTH, "rows": rows_of(4), **change}, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert message in answer.json()["error"]["message"]


def test_a_second_table_waits_for_the_first_one_to_end_or_to_be_left() -> None:
    slow = Gated(name="slow")
    slow.gate.set()
    body = {**sides("old", "slow"), "rows": rows_of(40)}
    with live({"old": WordCounter(), "slow": slow}) as one:
        url = warm(one).rstrip("/")
        slow.gate.clear()
        slow.entered.clear()
        try:
            head = {"Accept": "application/x-ndjson"}
            with httpx.stream("POST", f"{url}/v1/compare/table", json=body, headers=head) as answer:
                lines = answer.iter_lines()  # closed with the last reference
                assert next(lines) == '{"done":0,"of":80}'
                assert slow.entered.wait(timeout=30)
                other = httpx.post(f"{url}/v1/compare/table", json=body)
                assert (other.status_code, other.headers["retry-after"]) == (429, "5")
                assert (
                    other.json()["error"]["message"] == "Another table is being compared: try again when it has ended."
                )
                assert httpx.post(f"{url}/v1/predict", json={"model": "old", "text": "good"}).status_code == 200
        finally:
            slow.gate.set()
        for _ in range(300):
            again = httpx.post(f"{url}/v1/compare/table", json=body, timeout=60)
            if again.status_code == 200:
                break
        assert again.status_code == 200, again.text
