from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bertline.cli.main import application
from bertline.errors import BertlineError, DataError, UsageError
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from tests.kept import NEW, keep, store_in, sure


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with five predictions of reviews, two of them judged."""
    monkeypatch.chdir(tmp_path)
    with store_in(tmp_path) as store:
        keep(store, [sure("good", 0.6 + 0.05 * n) for n in range(5)], texts=[f"film {n}" for n in range(5)])
        receive(store, [Feedback("r0", "good"), Feedback("r1", "bad", source="desk")])
    return f"sqlite:///{tmp_path / 'predictions.db'}"


def run(*arguments: str, environment: dict[str, str] | None = None) -> str:
    result = CliRunner().invoke(application(), ["feedback", *arguments], env=environment, catch_exceptions=True)
    if isinstance(result.exception, BertlineError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_show_says_how_often_each_version_was_right(url: str) -> None:
    said = run("show", "--predictions-url", url)
    assert "reviews: 5 predictions, 5 with their text\nfeedback: 2 counts\n" in said
    assert f"version {NEW[:12]}: accuracy 50.0\u202f% (9.5 to 90.5), on 2 predictions" in said
    assert "source: desk" in said
    content = json.loads(run("show", "--predictions-url", url, "--json"))
    assert content["versions"][0]["accuracy"]["value"] == 0.5
    assert content["feedback"] == {"latest": 2}


def test_the_store_is_that_of_the_server_by_default(url: str) -> None:
    assert "reviews: 5" in run("show", environment={"BERTLINE_PREDICTIONS_URL": url})
    with pytest.raises(UsageError, match="no store of predictions is named: give --predictions-url"):
        run("show")


def test_a_review_is_filled_in_and_imported_and_leaves_as_rows_to_train_on(url: str, tmp_path: Path) -> None:
    assert run("review", "--predictions-url", url, "--limit", "2", "--out", "queue.csv") == (
        "2 predictions to review: queue.csv\n"
    )
    with Path("queue.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(one["request_id"], one["why"], one["text"]) for one in rows] == [
        ("r2", "unsure", "film 2"),
        ("r3", "unsure", "film 3"),
    ]
    rows[0]["correct"] = "bad"
    with Path("queue.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    assert run("import", "queue.csv", "--predictions-url", url) == "1 counted, 1 without a correct answer\n"
    assert run("export", "labelled.csv", "--predictions-url", url) == "3 labelled texts: labelled.csv\n"
    with Path("labelled.csv").open(newline="") as stream:
        assert [(one["text"], one["label"]) for one in csv.DictReader(stream)] == [
            ("film 0", "good"),
            ("film 1", "bad"),
            ("film 2", "bad"),
        ]


def test_review_prints_what_to_look_at(url: str) -> None:
    assert "r2       0      unsure  0.400  good" in run("review", "--predictions-url", url)
    found: list[dict[str, Any]] = json.loads(run("review", "--predictions-url", url, "--json"))
    assert [one["request_id"] for one in found] == ["r2", "r3", "r4"]


def test_import_keeps_what_it_can_and_fails_for_the_rest(url: str) -> None:
    Path("a.csv").write_text("request_id,correct\nr3,good\nr4,great\n")
    with pytest.raises(DataError, match=r"1 row was not kept of a.csv \(line 3: the correct answer is not a label"):
        run("import", "a.csv", "--predictions-url", url)
    assert "3 counts" in run("show", "--predictions-url", url)


def test_export_takes_texts_of_ones_own(url: str) -> None:
    Path("own.csv").write_text("request_id,text\nr0,the whole film\n")
    run("export", "labelled.jsonl", "--predictions-url", url, "--texts", "own.csv")
    assert [json.loads(line)["text"] for line in Path("labelled.jsonl").read_text().splitlines()] == [
        "the whole film",
        "film 1",
    ]


def test_erase_says_what_it_erased(url: str) -> None:
    assert run("erase", "--request-id", "r0", "--predictions-url", url) == (
        "erased 1 predictions and 1 items of feedback\n"
    )
    with pytest.raises(UsageError, match="give either --client or --request-id"):
        run("erase", "--predictions-url", url)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "--since", "soon"], "--since soon is no time: give 30d, 12h, 90m, or a date as in 2026-11-30"),
        (["show", "--model", "review"], "has no predictions of review: did you mean reviews?"),
        (["show", "--predictions-url", "sqlite:///none.db"], "there is no store of predictions at"),
    ],
)
def test_mistakes_are_said_in_a_sentence(url: str, arguments: list[str], message: str) -> None:
    with pytest.raises(BertlineError) as caught:
        run(*arguments, environment={"BERTLINE_PREDICTIONS_URL": url})
    assert message in str(caught.value)


def test_several_models_have_to_be_told_apart(url: str, tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")], model="topics")
    with pytest.raises(UsageError, match="predictions of several models: give --model, one of reviews, topics"):
        run("show", "--predictions-url", url)
