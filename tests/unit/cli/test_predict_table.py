"""Tables through a real, tiny model."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.cli.predict_table import Table, check_output, label_table
from bertline.data.formats import Format
from bertline.data.settings import TableSettings
from bertline.errors import BertlineError, DataError, UsageError
from bertline.inference import load_predictor

TEXTS = ["a film", "it is so", "one . two", "it is " * 40]


def table(path: Path, *, overwrite: bool = False, **settings: Any) -> Table:
    return Table(str(path), str(path.with_name("out.jsonl")), TableSettings(**settings), overwrite)


def labelled(bundle: Path, given: Table, top_k: int = 1) -> list[dict[str, Any]]:
    label_table(bundle, given, top_k)
    return [json.loads(line) for line in Path(given.target).read_text(encoding="utf-8").splitlines()]


def expected(bundle: Path, texts: list[str]) -> list[tuple[str, float, int]]:
    return [
        (one.label, round(one.probabilities[one.label], 6), one.cut_tokens)
        for one in load_predictor(bundle).predict(texts)
    ]


def found(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["predicted_label"], pytest.approx(row["probability"], abs=2e-6), row["cut_tokens"]) for row in rows]


def written(path: Path) -> list[dict[str, Any]]:
    """A table as another program reads it."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    if ".jsonl" in path.name:
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text), delimiter="\t" if ".tsv" in path.name else ","))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A table as another program writes it."""
    text = io.StringIO()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if ".jsonl" in path.name:
        text.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if ".tsv" in path.name else ",")
        writer.writeheader()
        writer.writerows(rows)
    raw = text.getvalue().encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize("source", ["in.csv", "in.tsv.gz", "in.jsonl", "in.jsonl.gz", "in.parquet"])
@pytest.mark.parametrize("target", ["out.csv", "out.tsv", "out.jsonl.gz", "out.parquet"])
def test_every_format_becomes_every_other(bundle: Path, tmp_path: Path, source: str, target: str) -> None:
    write(tmp_path / source, [{"id": number, "text": text} for number, text in enumerate(TEXTS)])
    label_table(bundle, Table(str(tmp_path / source), str(tmp_path / target)), 1)
    rows = written(tmp_path / target)
    assert list(rows[0]) == ["id", "text", "predicted_label", "probability", "cut_tokens"]
    assert [(int(row["id"]), row["text"]) for row in rows] == list(enumerate(TEXTS))
    values: list[Any] = [(row["predicted_label"], float(row["probability"]), int(row["cut_tokens"])) for row in rows]
    for one, other in zip(values, expected(bundle, TEXTS), strict=True):
        assert one == (other[0], pytest.approx(other[1], abs=2e-6), other[2])


def test_order_is_preserved_over_many_windows(bundle: Path, tmp_path: Path) -> None:
    texts = [f"{'a ' * (number % 20)}x" for number in range(500)]
    source = write(tmp_path / "in.csv", [{"text": text, "n": number} for number, text in enumerate(texts)])
    rows = labelled(bundle, table(source))
    assert [row["n"] for row in rows] == [str(number) for number in range(500)]
    assert found(rows[:20]) == expected(bundle, texts[:20])


def test_existing_columns_stay(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "in.csv", [{"text": "a film", "probability": "high"}])
    (row,) = labelled(bundle, table(source))
    assert row["probability"] == "high"
    assert row["tiny_probability"] > 0.3
    assert "the table already has probability: the added columns begin with tiny_" in capsys.readouterr().err


def test_columns_that_appear_late_are_kept(bundle: Path, tmp_path: Path) -> None:
    rows = [{"text": "a film"}] * 200 + [{"text": "it is", "late": "x", "cut_tokens": "mine"}]
    source = write(tmp_path / "in.jsonl", rows)
    label_table(bundle, Table(str(source), str(tmp_path / "out.csv")), 1)
    last = written(tmp_path / "out.csv")[-1]
    assert (last["late"], last["cut_tokens"], last["tiny_cut_tokens"]) == ("x", "mine", "0")


@pytest.mark.parametrize(
    ("rows", "given", "text"),
    [
        ([{"review": "a film", "n": 1}], None, "a film"),
        ([{"Text\u200b": "a film"}], None, "a film"),
        ([{"whatever": "a film"}], "whatever", "a film"),
        ([{"text": "no", "other": "a film"}], "other", "a film"),
    ],
)
def test_the_text_column_is_found_or_given(
    bundle: Path, tmp_path: Path, rows: list[dict[str, Any]], given: str | None, text: str
) -> None:
    source = write(tmp_path / "in.csv", rows)
    assert found(labelled(bundle, table(source, text_column=given))) == expected(bundle, [text])


def test_an_ambiguous_text_column_is_an_error(bundle: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", [{"a": "x", "b": "y"}])
    with pytest.raises(DataError, match=r"name it with --text-column \(its columns are 'a', 'b'\)"):
        label_table(bundle, table(source), 1)


BAD = b"text,n\na film,1\n,2\nit is so,3\ntoo,many,4\n"


def test_bad_rows_are_all_found_before_one_row_is_labelled(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertline.cli.predict_table.predict_stream", None)
    (tmp_path / "in.csv").write_bytes(BAD)
    with pytest.raises(DataError) as error:
        label_table(bundle, table(tmp_path / "in.csv"), 1)
    assert str(error.value) == (
        f"{tmp_path / 'in.csv'} has 2 bad rows (line 3: empty text in column 'text'; line 5: too many fields "
        "(3 instead of 2)); fix them or pass --skip-bad-rows to leave them out"
    )
    assert not (tmp_path / "out.jsonl").exists()


def test_bad_rows_can_be_left_out_and_are_counted(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_bytes(BAD)
    rows = labelled(bundle, table(tmp_path / "in.csv", skip_bad_rows=True))
    assert [row["n"] for row in rows] == ["1", "3"]
    expected_note = "note: left out 2 bad rows: 1 × empty text in column 'text', 1 × too many fields\n"
    assert expected_note in capsys.readouterr().err


@pytest.mark.parametrize("value", [None, "", " \n", 3, ["a"]])
def test_a_value_that_is_not_text_is_a_bad_row(bundle: Path, tmp_path: Path, value: object) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": "a"}, {"text": value}])
    with pytest.raises(DataError, match=r"1 bad row \(line 2: (empty text|no string) in column 'text'"):
        label_table(bundle, table(source), 1)


@pytest.mark.parametrize("value", ["\u200b", "\x01 \x02", "\u00ad\u2060"])
def test_a_row_without_a_token_is_bad(bundle: Path, tmp_path: Path, value: str) -> None:
    """R9: the tokenizer decides, as in the service."""
    source = write(tmp_path / "in.jsonl", [{"text": "a"}, {"text": value}])
    told = r"1 bad row \(line 2: text in column 'text' of which the model reads nothing \(has only characters that the"
    with pytest.raises(DataError, match=told):
        label_table(bundle, table(source), 1)


def test_parquet_counts_rows(bundle: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", [{"text": "a"}, {"text": None}])
    with pytest.raises(DataError, match=r"\(row 2: empty text in column 'text'\)"):
        label_table(bundle, table(source), 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,n\n", "has a header line but no rows: give texts to label"),
        (b"", "is empty: it needs a header line"),
        (b"text,n\n1\n", r"1 bad row \(line 2: too few fields"),
    ],
)
@pytest.mark.parametrize("skip", [True, False])
def test_nothing_to_label_is_an_error(bundle: Path, tmp_path: Path, content: bytes, message: str, skip: bool) -> None:
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        label_table(bundle, table(tmp_path / "in.csv", skip_bad_rows=skip), 1)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that a thread writes the bad table to."""
    os.mkfifo(tmp_path / "pipe.csv")
    threading.Thread(target=(tmp_path / "pipe.csv").write_bytes, args=[BAD], daemon=True).start()
    return tmp_path / "pipe.csv"


def test_a_pipe_is_read_once(bundle: Path, pipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = labelled(bundle, table(pipe, skip_bad_rows=True))
    assert [row["n"] for row in rows] == ["1", "3"]
    assert "left out 2 bad rows" in capsys.readouterr().err


def test_a_bad_row_in_a_pipe_ends_the_work_and_leaves_no_output(bundle: Path, pipe: Path) -> None:
    with pytest.raises(DataError, match=r"pipe.csv has 1 bad row \(line 3: empty text in column 'text'\)"):
        label_table(bundle, table(pipe), 1)
    assert [path.name for path in pipe.parent.iterdir()] == ["pipe.csv"]


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("in.csv", {}, "is the input itself: name another file"),
        ("in.csv", {"overwrite": True}, "is the input itself: name another file"),
        ("old.csv", {}, "exists: name another file, or pass --overwrite to replace it"),
        ("none/out.csv", {}, "has no directory: create .*none first"),
        (".", {}, "is a directory: give the name of a file to write"),
        ("out.dat", {}, "does not say by its suffix what format it is in"),
    ],
)
def test_an_output_that_must_not_be_written_is_refused_first(
    bundle: Path, tmp_path: Path, target: str, options: dict[str, Any], message: str
) -> None:
    write(tmp_path / "in.csv", [{"text": "a film"}])
    (tmp_path / "old.csv").write_text("mine")
    with pytest.raises(BertlineError, match=message):
        label_table(bundle, Table(str(tmp_path / "in.csv"), str(tmp_path / target), **options), 1)
    assert (tmp_path / "old.csv").read_text() == "mine"


def test_an_output_is_replaced_on_request(bundle: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", [{"text": "a film"}])
    (tmp_path / "out.jsonl").write_text("old")
    assert found(labelled(bundle, table(source, overwrite=True))) == expected(bundle, ["a film"])


def test_parquet_is_not_for_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(UsageError, match="Parquet is not for a terminal: name a file with --output"):
        check_output(Table(str(tmp_path / "in.parquet")))


@pytest.mark.parametrize(
    ("source", "target", "given", "formats"),
    [
        ("a.csv", "b.jsonl", None, ("csv", "jsonl")),
        ("a.csv", "-", None, ("csv", "csv")),
        ("a.parquet", "-", "jsonl", ("jsonl", "jsonl")),
        ("a.dat", "b.csv", "tsv", ("tsv", "csv")),
        ("a.dat", "b.dat", "tsv", ("tsv", "tsv")),
        ("-", "-", None, ("csv", "csv")),
    ],
)
def test_names_say_the_formats_and_the_flag_fills_in(
    source: str, target: str, given: Format | None, formats: tuple[str, str]
) -> None:
    one = Table(source, target, TableSettings(format=given))
    assert (one.input_format, one.output_format) == formats


@pytest.mark.parametrize("format", [None, "conll"])
def test_the_sentences_of_a_conll_file_are_its_rows(bundle: Path, tmp_path: Path, format: str | None) -> None:
    path = tmp_path / ("tweets.txt" if format else "tweets.conll")
    path.write_text("a\tB-x\r\nfilm\tI-x\r\n\r\nit\tO\r\nis\tO\r\nso\tO\r\n")
    rows = labelled(bundle, table(path, format=format))
    assert [row["text"] for row in rows] == TEXTS[:2]
    assert [row["entities"] for row in rows] == [[{"start": 0, "end": 6, "label": "x"}], []]
    assert found(rows) == expected(bundle, TEXTS[:2])


def test_a_conll_file_is_not_written(tmp_path: Path) -> None:
    given = Table(str(tmp_path / "a.conll"))
    assert given.output_format == "jsonl"
    with pytest.raises(DataError, match=r"b\.conll cannot be a CoNLL file, which is only read: name it \.jsonl"):
        _ = Table(str(tmp_path / "a.conll"), str(tmp_path / "b.conll")).output_format


def test_a_text_file_has_a_row_for_each_line(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.txt.gz"
    path.write_bytes(gzip.compress("\r\n".join(TEXTS).encode() + b"\n\n"))
    rows = labelled(bundle, table(path))
    assert [row["text"] for row in rows] == TEXTS
    assert found(rows) == expected(bundle, TEXTS)
    assert Table(str(path)).output_format == "csv"


def test_an_empty_line_within_a_text_file_is_a_bad_row(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("a film\n\nit is so\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.txt has 1 bad row \(line 2: an empty line\); fix it or pass --skip-bad-"):
        labelled(bundle, table(path))
    assert [row["text"] for row in labelled(bundle, table(path, skip_bad_rows=True))] == ["a film", "it is so"]
