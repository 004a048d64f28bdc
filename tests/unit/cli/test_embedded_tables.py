"""What the verbs about embedded texts print and write."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli import cluster, duplicates, index, nearest
from bertline.errors import BertlineError, UsageError
from bertline.inference import TextClassifier, load_predictor
from bertline.testing.tiny import write_tiny_bundle

app = typer.Typer(pretty_exceptions_enable=False)
for verb in (cluster, duplicates, index, nearest):
    verb.register(app)

TEXTS = ["a film", "it is so", "a film", "one two .", "a film so"]


def bertline(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if isinstance(result.exception, BertlineError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("similarity") / "reviews"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("similarity") / "in.csv"
    path.write_text("id,text,similarity\n" + "".join(f"0{number},{text},x\n" for number, text in enumerate(TEXTS)))
    return path


@pytest.fixture(scope="module")
def indexed(bundle: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("similarity") / "index"
    bertline("index", bundle, table, "--out", target)
    return target


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_index_says_what_it_wrote(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text\na film\n""\n' + "it is " * 40 + "\n")
    result = bertline("index", bundle, tmp_path / "in.csv", "--out", tmp_path / "out", "--skip-bad-rows", "--json")
    facts = json.loads(result.stdout)
    assert (facts["model"], facts["rows"], facts["dimensions"], facts["skipped"], facts["cut"]) == (
        "reviews",
        2,
        32,
        1,
        1,
    )
    assert result.stderr.splitlines() == [
        "note: 1 bad row left out",
        "note: 1 of 2 texts was too long to be read whole",
        f"2 texts, 32 dimensions: {tmp_path / 'out'}",
    ]


def test_one_text_is_counted_as_one(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n")
    result = bertline("index", bundle, tmp_path / "in.txt", "--out", tmp_path / "out")
    assert result.stderr.splitlines() == [f"1 text, 32 dimensions: {tmp_path / 'out'}"]


def test_a_table_and_its_queries_are_embedded_by_a_model_that_is_loaded_once(
    bundle: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []

    def load(*given: Any, **how: Any) -> TextClassifier:
        loaded.append(given)
        return load_predictor(*given, **how)

    monkeypatch.setattr("bertline.inference.load_predictor", load)
    monkeypatch.setattr("bertline.similarity.build.load_predictor", load)
    bertline("nearest", bundle, table, "a film")
    assert loaded == [(bundle,)]


def test_nearest_prints_similarity_line_and_text(bundle: Path, table: Path, indexed: Path) -> None:
    lines = bertline("nearest", bundle, indexed, "a film", "-k", 2).stdout.splitlines()
    assert lines == ["1.0000\t2\ta film", "1.0000\t4\ta film"]
    assert bertline("nearest", bundle, table, "a film", "-k", 2).stdout.splitlines() == lines
    two = bertline("nearest", bundle, indexed, "one  two .", "it is so", "-k", 1).stdout.splitlines()
    assert two == ["1.0000\t5\tone two .\tone two .", "1.0000\t3\tit is so\tit is so"]


def test_nearest_as_json_has_the_rows(bundle: Path, indexed: Path) -> None:
    (line,) = bertline("nearest", bundle, indexed, "it is so", "-k", 1, "--json").stdout.splitlines()
    row = {"id": "01", "text": "it is so", "similarity": "x"}
    near = [{"similarity": 1.0, "line": 3, "text": "it is so", "row": row}]
    assert json.loads(line) == {"line": 1, "query": "it is so", "nearest": near}


def test_nearest_writes_a_row_for_each_pair(bundle: Path, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("it is so\n\na film\n")
    result = bertline("nearest", bundle, indexed, "-i", tmp_path / "new.txt", "-k", 2, "-o", tmp_path / "out.csv")
    rows = read(tmp_path / "out.csv")
    assert [(row["reviews_query_line"], row["reviews_query"], row["reviews_rank"]) for row in rows] == [
        *[("1", "it is so", "1"), ("1", "it is so", "2"), ("3", "a film", "1"), ("3", "a film", "2")]
    ]
    assert [(row["id"], row["reviews_line"], row["reviews_similarity"]) for row in rows[2:]] == [
        *[("00", "2", "1.0"), ("02", "4", "1.0")]
    ]
    assert (rows[0]["similarity"], result.stdout) == ("x", "")
    assert "note: the table already has similarity: the added columns begin with reviews_" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("a film", "--input", "new.csv")])
def test_nearest_takes_texts_or_a_table(bundle: Path, indexed: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"^give the texts, or a table of them with --input, and not both$"):
        bertline("nearest", bundle, indexed, *arguments)


def test_a_text_of_which_nothing_is_read_is_refused(bundle: Path, indexed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^text 2 is empty: leave it out, or check the quotes$"):
        bertline("nearest", bundle, indexed, "a film", "")
    (tmp_path / "new.txt").write_text("a film\n\u200b\n")
    with pytest.raises(BertlineError, match=r"new\.txt has 1 bad row \(line 2: .*; fix it or pass --skip-bad-rows"):
        bertline("nearest", bundle, indexed, "-i", tmp_path / "new.txt")
    result = bertline("nearest", bundle, indexed, "-i", tmp_path / "new.txt", "--skip-bad-rows", "-k", 1)
    assert result.stdout == "1.0000\t2\ta film\n"
    assert "note: left out 1 bad row" in result.stderr


def test_cluster_adds_columns_and_prints_a_table(bundle: Path, indexed: Path, tmp_path: Path) -> None:
    result = bertline("cluster", bundle, indexed, "--clusters", 2, "-o", tmp_path / "out.csv")
    rows = read(tmp_path / "out.csv")
    assert [row["text"] for row in rows] == TEXTS
    assert rows[0]["cluster"] == rows[2]["cluster"]
    assert {row["cluster"] for row in rows} == {"1", "2"}
    assert len({row["cluster_name"] for row in rows}) == 2
    assert all(0 < float(row["cluster_similarity"]) <= 1 for row in rows)
    shown = [line.split() for line in result.stdout.splitlines()]
    assert [line[0] for line in shown[:3]] == ["cluster", "1", "2"]
    assert shown[-1][0] == "Silhouette"


def test_cluster_as_json(bundle: Path, indexed: Path) -> None:
    result = bertline("cluster", bundle, indexed, "--clusters", 9, "--json")
    clusters = json.loads(result.stdout)["clusters"]
    assert [one["rows"] for one in clusters] == [2, 1, 1, 1]
    assert clusters[0]["typical"] == ["a film", "a film"]
    assert "note: there are only 4 different texts, so there are no more clusters" in result.stderr


def test_duplicates_prints_groups(bundle: Path, indexed: Path) -> None:
    result = bertline("duplicates", bundle, indexed, "--threshold", 1)
    assert result.stdout == "line 2\t1.0000\ta film\nline 4\t1.0000\ta film\n\n"
    assert "rows that repeat an earlier one: 1 of 5; groups: 1; pairs: 1" in result.stderr
    figures = json.loads(bertline("duplicates", bundle, indexed, "--threshold", 1, "--json").stdout)
    assert figures["repeated_rows"] == 1


def test_duplicates_adds_columns_or_drops_rows(bundle: Path, table: Path, tmp_path: Path) -> None:
    bertline("duplicates", bundle, table, "--threshold", 1, "-o", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    names = ("reviews_duplicate_group", "reviews_nearest_line", "reviews_similarity")
    assert [tuple(row[name] for name in names) for row in rows] == [
        *[(1, 4, 1.0), (None, None, None), (1, 2, 1.0), (None, None, None), (None, None, None)]
    ]
    bertline("duplicates", bundle, table, "--threshold", 1, "--drop", "-o", tmp_path / "unique.csv")
    assert (tmp_path / "unique.csv").read_text().splitlines() == [
        *["id,text,similarity", "00,a film,x", "01,it is so,x", "03,one two .,x", "04,a film so,x"]
    ]


def test_an_output_is_not_replaced_and_dropping_needs_one(bundle: Path, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").touch()
    for name in ("duplicates", "cluster"):
        with pytest.raises(UsageError, match=r"out\.csv exists: name another file, or pass --overwrite to replace it"):
            bertline(name, bundle, indexed, "-o", tmp_path / "out.csv")
    with pytest.raises(UsageError, match=r"^--drop goes with --output: name the table to write$"):
        bertline("duplicates", bundle, indexed, "--drop")


def test_a_threshold_is_refused_before_anything_is_embedded(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="threshold is 2: give a cosine above 0 and at most 1"):
        bertline("duplicates", tmp_path / "no bundle", table, "--threshold", 2)
