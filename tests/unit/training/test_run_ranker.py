"""A ranker from a table of queries, texts and scores: split by query, evaluated, and a cross-encoder for others."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import bertline
from bertline.bundle import load
from bertline.data.duplicates import normalise
from bertline.errors import DataError, SettingsError, UsageError
from bertline.inference import load_predictor
from bertline.testing.tiny import WORDS
from bertline.training.prepare import prepare
from bertline.training.progress import Silent
from bertline.training.settings import TrainSettings

SYLLABLES = [word for word in WORDS if len(word) == 2]
QUICK = {"epochs": 2, "max_tokens": 48, "batch_tokens": 1024, "precision": "fp32", "lr": 2e-3}


def rows(queries: int = 40, texts: int = 5, seed: int = 0) -> list[tuple[str, str, float]]:
    """Texts of which those that begin with their query's first word are relevant."""
    rng = random.Random(seed)
    out = []
    for i in range(queries):
        query = " ".join([*rng.sample(SYLLABLES, 7), *(WORDS[int(digit)] for digit in f"{i:04}")])
        for j in range(texts):
            first = query.split()[0] if j < 2 else "um"
            out.append((query, " ".join([first, *rng.choices(WORDS, k=8)]), float(j < 2)))
    rng.shuffle(out)
    return out


def write(path: Path, content: list[Any], header: tuple[str, ...] = ("query", "passage", "relevance")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *content])
    return path


@pytest.fixture(scope="module")
def ranker(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranker")
    table = write(folder / "queries.csv", rows())
    bertline.train(table, out=folder / "ranker", model=str(model), task="rank", **QUICK)
    return folder / "ranker"


def test_its_bundle_says_what_it_ranks_and_how_well(ranker: Path) -> None:
    manifest = load(ranker).manifest
    assert manifest.task.model_dump() == {"task": "rank", "reads": "query", "temperature": 1.0, "highest": 1.0}
    assert set(manifest.metrics) >= {"ndcg_at_10", "mrr", "map"}
    assert list(manifest.metrics["baselines"]) == ["Random order", "BM25"]  # type: ignore[call-overload]
    columns = "query from column 'query', text from column 'passage', score from column 'relevance'"
    assert str(manifest.data["Data"]).endswith(f"queries.csv; {columns}")
    page = (ranker / "report" / "report.html").read_text(encoding="utf-8")
    assert "Queries that are ranked worst" in page
    assert "NDCG@10" in page


@pytest.mark.peer
def test_others_load_it_as_a_cross_encoder_with_the_same_scores(ranker: Path) -> None:
    """``CrossEncoder.predict`` of sentence-transformers is the sigmoid of this logit."""
    tokenizer = AutoTokenizer.from_pretrained(ranker)
    network: Any = AutoModelForSequenceClassification.from_pretrained(ranker)
    assert network.config.num_labels == 1
    pairs = [(query, text) for query, text, _ in rows(seed=3)[:8]]
    batch = tokenizer([one for one, _ in pairs], [one for _, one in pairs], padding=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = network.eval()(**batch).logits[:, 0].sigmoid()
    assert [one.score for one in load_predictor(ranker).predict(pairs)] == pytest.approx(theirs.tolist(), abs=1e-5)


def test_it_is_evaluated_on_another_table(ranker: Path, tmp_path: Path) -> None:
    report = bertline.evaluate(ranker, write(tmp_path / "more.csv", rows(seed=5))).to_dict()
    assert (report["rows"], report["queries"], report["counted_queries"]) == (200, 40, 40)
    assert 0 < report["metrics"]["ndcg_at_10"]["low"] <= report["metrics"]["ndcg_at_10"]["value"] <= 1


def test_its_reference_rows_are_whole_queries(ranker: Path) -> None:
    for split in ("validation", "test"):
        lines = (ranker / "reference" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        queries = [json.loads(line)["text"] for line in lines]
        assert {queries.count(one) for one in queries} == {5}


def test_a_student_learns_its_scores_and_is_compared_by_query(ranker: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "more.csv", [(query, text) for query, text, _ in rows(seed=5)], ("query", "passage"))
    bertline.distill(ranker, table, out=tmp_path / "student", layers=1, epochs=2, batch_tokens=1024, precision="fp32")
    teacher, student = (load(one).manifest for one in (ranker, tmp_path / "student"))
    assert student.task == teacher.task
    kept: Any = student.metrics["kept"]
    assert kept["teacher_ndcg_at_10"]["value"] == pytest.approx(teacher.metrics["ndcg_at_10"]["value"])  # type: ignore[index, call-overload]
    assert kept["student_ndcg_at_10"] == student.metrics["ndcg_at_10"]
    (tmp_path / "lines.txt").write_text("a text\n")
    with pytest.raises(UsageError, match=r"lines\.txt has one text on each line, but the model reads pairs of texts"):
        bertline.distill(ranker, table, out=tmp_path / "other", layers=1, unlabelled=(str(tmp_path / "lines.txt"),))


def prepared(tmp_path: Path, content: list[Any], header: tuple[str, ...], **settings: Any) -> Any:
    return prepare(str(write(tmp_path / "t.csv", content, header)), TrainSettings(**settings), Silent())


HEADER = ("query", "text", "score")


def test_no_query_is_in_two_splits_in_any_spelling(tmp_path: Path) -> None:
    content = [(query.upper() if i % 2 else f"{query} ?", text, score) for i, (query, text, score) in enumerate(rows())]
    splits = prepared(tmp_path, content, HEADER, query_column="query").splits
    queries = {name: {normalise(one.text) for one in some} for name, some in splits.items()}
    assert all(queries.values())
    assert sum(map(len, queries.values())) == len(set.union(*queries.values()))


def test_a_query_that_is_almost_one_of_training_is_left_out_with_all_its_texts(tmp_path: Path) -> None:
    again = {query for query, _, _ in rows()[:40]}
    content = [*rows(), *((f"{query} of", text, score) for query, text, score in rows() if query in again)]
    found = prepared(tmp_path, content, HEADER, task="rank", test_ratio=0.3)
    assert " near left out of test" in dict(found.facts)["Duplicates of training queries"]
    own = [{one.text.removesuffix(" of") for one in some} for some in found.splits.values()]
    assert sum(map(len, own)) == len(set.union(*own))
    assert len(found.test) % 5 == 0


def test_groups_hold_whole_queries(tmp_path: Path) -> None:
    content = [(query, text, score, f"shop {query[0]}") for query, text, score in rows()]
    found = prepared(tmp_path, content, (*HEADER, "shop"), task="rank", group_column="shop")
    groups = [{one.group for one in some} for some in found.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    content[3] = (*content[3][:3], "shop ?")
    with pytest.raises(DataError, match=r"t.csv has the query '.*' in two groups, '.*' in line \d+ and '.*' in line"):
        prepared(tmp_path, content, (*HEADER, "shop"), task="rank", group_column="shop")


def test_scores_above_1_are_grades(tmp_path: Path) -> None:
    graded = prepared(tmp_path, [(*one[:2], 3 * one[2]) for one in rows()], HEADER, score_column="score")
    assert (graded.spec.highest, graded.spec.activation, graded.spec.problem_type) == (3.0, "none", "regression")
    flags = prepared(tmp_path, [(*one[:2], bool(one[2])) for one in rows()], HEADER, task="rank")
    assert flags.spec.highest == 1.0


def test_what_is_no_score_is_named_with_its_line(tmp_path: Path) -> None:
    content: list[Any] = rows()
    content[2] = (*content[2][:2], -1)
    with pytest.raises(DataError, match="line 4: a number below 0 in column 'score'"):
        prepared(tmp_path, content, HEADER, task="rank")
    with pytest.raises(
        DataError, match=r"t.csv has only the number 1.0 in column 'score'.*name another --score-column"
    ):
        prepared(tmp_path, [(*one[:2], 1) for one in rows()], HEADER, task="rank")


def test_columns_of_other_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="text_pair_column is set, but a ranker reads a query and a text"):
        prepared(tmp_path, rows(), HEADER, task="rank", text_pair_column="text")
    with pytest.raises(SettingsError, match="query_column is set, but only rankers read queries: leave it out"):
        prepared(tmp_path, rows(), ("query", "text", "label"), task="classify", query_column="query")
    with pytest.raises(DataError, match="has no column with a usual name for the query: name it with --query-column"):
        prepared(tmp_path, rows(), ("q", "text", "score"), task="rank")
