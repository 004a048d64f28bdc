"""What spreadsheets export goes through ``predict`` without losing a column or a row."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from bertline.cli.main import main
from bertline.testing.tiny import write_tiny_bundle


@pytest.fixture
def predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """``bertline predict --input … --output out.csv``: the rows of the output, or what was said instead."""
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    monkeypatch.chdir(tmp_path)

    def run(content: bytes, *flags: str, name: str = "in.csv") -> Any:
        Path(name).write_bytes(content)
        arguments = ["predict", "tiny", "--input", name, "--output", "out.csv", "--overwrite", *flags]
        monkeypatch.setattr(sys, "argv", ["bertline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        if ended.value.code:
            return capsys.readouterr().err
        rows = list(csv.reader(io.StringIO(Path("out.csv").read_text(encoding="utf-8"), newline="")))
        return [row[: -len(ADDED)] for row in rows if row[-1] or pytest.fail("no answer")]

    return run


ADDED = ["predicted_label", "probability", "cut_tokens"]
HEADER, ROW = ["text", "n"], ["it is, so", "1"]

EXPORTS: dict[str, tuple[bytes, list[list[str]]]] = {
    "headings that are empty": (
        b"text,,,\nit is,1,2,3\n",
        [["text", *(f"column_{n}" for n in (2, 3, 4))], ["it is", *"123"]],
    ),
    "headings that differ by case": (b"text,N,n\nit is,1,2\n", [["text", "N", "n"], ["it is", "1", "2"]]),
    "headings that differ invisibly": (
        "text,n,n\u200b\nit is,1,2\n".encode(),
        [["text", "n", "n\u200b"], ["it is", *"12"]],
    ),
    "a heading that is a name by place": (
        b"text,column_3,\nit is,1,2\n",
        [["text", "column_3", "column_3_2"], ["it is", *"12"]],
    ),
    "semicolons": (b'text;n\n"it is, so";1\n', [HEADER, ROW]),
    "Excel's first line": (b"sep=;\r\ntext;n\r\nit is, so;1\r\n", [HEADER, ROW]),
    "tabs": (b"text\tn\nit is, so\t1\n", [HEADER, ROW]),
    "Unicode text of Excel": ("text\tn\r\nit is, so\t1\r\n".encode("utf-16"), [HEADER, ROW]),
    "UTF-16 without a mark": ("text\tn\r\nit is, so\t1\r\n".encode("utf-16-le"), [HEADER, ROW]),
    "old line ends": (b'text,n\r"it is, so",1\r', [HEADER, ROW]),
    "a line end within": (b'text,n\n"it\nis",1\n', [HEADER, ["it\nis", "1"]]),
    "delimiters at the end": (b"text,n\nit is,1,,,\n", [HEADER, ["it is", "1"]]),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_every_column_and_row_comes_out_again(predict: Any, export: str) -> None:
    """T11, T19: blank and look-alike headings, separators, encodings and line ends."""
    content, rows = EXPORTS[export]
    assert predict(content) == [rows[0], *rows[1:]]


def test_a_byte_order_mark_is_not_part_of_a_name(predict: Any) -> None:
    """T19: ``--encoding utf-16-le`` of a file with a mark."""
    content = "\ufefftext,n\nit is,1\n"
    for encoding in ("utf-16-le", "utf-16-be", "utf-8"):
        assert predict(content.encode(encoding), "--encoding", encoding) == [HEADER, ["it is", "1"]]


def test_two_columns_of_one_name_are_refused_by_name(predict: Any) -> None:
    """T11: one of them would be lost."""
    for content in (b"text,n,n\nit is,1,2\n", b"text,n, n\nit is,1,2\n"):
        assert "in.csv line 1 has two columns named 'n': rename one of them" in predict(content)


def test_a_list_of_texts_raises_a_question_and_loses_none(predict: Any) -> None:
    """T19: its first text was its header."""
    content = b"A quiet film.\nA loud film.\n"
    assert (
        "in.csv has one column, and its first line is 'A quiet film.': pass --no-header if that is a text, or name it "
        "with --text-column if it is a header"
    ) in predict(content)
    assert predict(content, "--no-header") == [["column_1"], ["A quiet film."], ["A loud film."]]
    assert predict(content, "--text-column", "A quiet film.") == [["A quiet film."], ["A loud film."]]


def test_a_single_text_is_not_a_header(predict: Any) -> None:
    """T19: nor is a table without rows a mistake of the table."""
    assert "has a header line but no rows: give texts to label; if it has no header, pass --no-header" in predict(
        b"it\n"
    )
    assert predict(b"it\n", "--no-header") == [["column_1"], ["it"]]


def test_a_delimiter_that_no_header_shows(predict: Any) -> None:
    """T19: it can be given; and where a header has another one, too, that is said."""
    assert predict(b"text^n\nit is, so^1\n", "--delimiter", "^") == [HEADER, ROW]
    assert "; if its fields have another delimiter, pass --delimiter" in predict(b"a;text, or so;b\nit;is, so;1\n")
    assert (
        "delimiter '^^' is not a delimiter: give the single character between two fields, such as ; or tab"
        in predict(b"text\nit\n", "--delimiter", "^^")
    )


def test_a_zero_costs_its_row_and_is_named(predict: Any) -> None:
    """T19: NUL bytes come from exports that were cut off."""
    content = b"text,n\nit is,1\nit\0,2\n"
    assert "in.csv has 1 bad row (line 3: a NUL character)" in predict(content)
    assert predict(content, "--skip-bad-rows") == [HEADER, ["it is", "1"]]
