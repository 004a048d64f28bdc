"""The format of a table is what its name says, unless it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.data.formats import format_of, is_gzip_name, name_of, output_format_of
from bertline.errors import DataError, SettingsError


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.csv", "csv"),
        ("a.TSV", "tsv"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson.gz", "jsonl"),
        ("a.json-lines", "jsonl"),
        ("my.reviews.parquet", "parquet"),
        ("a.conll", "conll"),
        ("a.BIO.gz", "conll"),
        ("a.iob2", "conll"),
        ("a.CSV.GZ", "csv"),
        ("-", "csv"),
        (Path("there") / "a.tsv.gz", "tsv"),
    ],
)
def test_the_suffix_says_the_format(name: str | Path, format: str) -> None:
    assert format_of(name) == format


def test_a_given_format_beats_the_suffix() -> None:
    assert format_of("reviews.txt", "tsv") == "tsv"
    assert format_of("-", "jsonl") == "jsonl"


@pytest.mark.parametrize("name", ["reviews", "reviews.txt", "reviews.gz", "reviews.json", ".csv"])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=rf"{name} does not say by its suffix .* \.csv, \.tsv, .* or pass --format"):
        format_of(name)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(SettingsError, match="format 'excel' is unknown: give one of csv, tsv, jsonl, parquet, conll"):
        format_of("-", "excel")


def test_names_in_messages() -> None:
    assert [name_of("-", "input"), name_of("-", "output"), name_of(Path("a.csv"), "input")] == [
        "standard input",
        "standard output",
        "a.csv",
    ]
    assert is_gzip_name("a.csv.GZ")
    assert not is_gzip_name("-")


@pytest.mark.parametrize(("name", "given"), [("a.conll", None), ("a.bio.gz", None), ("a.conll", "conll")])
def test_conll_is_only_read(name: str, given: str | None) -> None:
    with pytest.raises(DataError) as error:
        output_format_of(name, given)
    assert str(error.value) == (
        f"{name} cannot be a CoNLL file, which is only read: name it .jsonl or pass --format jsonl"
    )
    assert output_format_of("a.tsv") == output_format_of("a.txt", "tsv") == "tsv"
