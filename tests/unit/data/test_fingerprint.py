"""Equal fingerprints mean equal data, whatever file it came in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bertline.data.examples import Dataset, Example, read_examples
from bertline.data.fingerprint import Lengths, fingerprint
from bertline.data.table import open_writer
from bertline.statistics.as_json import as_json


def dataset(*rows: tuple[str, str]) -> Dataset:
    return Dataset("t.csv", tuple(Example(i, *row) for i, row in enumerate(rows)), "text", "label")


BASE = dataset(("good", "10"), ("café au lait", "9"), ("bad", "10"))


def test_the_figures() -> None:
    print_ = fingerprint(replace(BASE, skipped={"empty text": 2}))
    assert print_.rows == 3
    assert list(print_.labels.items()) == [("9", 1), ("10", 2)]
    assert print_.text_characters == Lengths(shortest=3, median=4, mean=6.3, p95=11, longest=12)
    content = as_json(print_)
    assert json.loads(json.dumps(content)) == content
    assert content["skipped"] == {"empty text": 2}


def test_the_hash_is_the_one_that_is_documented() -> None:
    # printf '["x", "a"]\n' | sha256sum
    expected = "b289f687086a6bc42077cf7551dfaa4ba933e946f487ec946c83b45280682062"
    assert fingerprint(dataset(("x", "a"))).sha256 == expected


@pytest.mark.parametrize("suffix", ["csv", "tsv.gz", "jsonl", "parquet"])
def test_the_format_of_the_file_does_not_matter(tmp_path: Path, suffix: str) -> None:
    rows = [("naïve, “quoted”\nlines", "1"), ("b", "2"), ("c", "1"), ("d", "2")]
    with open_writer(tmp_path / f"t.{suffix}", columns=["text", "label"]) as writer:
        for text, label in rows:
            writer.write({"text": text, "label": label})
    assert fingerprint(read_examples(tmp_path / f"t.{suffix}")).sha256 == fingerprint(dataset(*rows)).sha256


def test_white_space_and_composition_do_not_matter() -> None:
    same = dataset((" good\r\n", "10"), ("cafe\u0301  au lait", "9"), ("bad", "10"))
    assert fingerprint(same).sha256 == fingerprint(BASE).sha256


@pytest.mark.parametrize(
    "other",
    [
        dataset(("good", "10"), ("bad", "10"), ("café au lait", "9")),
        dataset(("good", "10"), ("café au lait", "9")),
        dataset(("good", "10"), ("café au lait", "9"), ("bad", "9")),
        dataset(("good", "10"), ("café au lait", "9"), ("Bad", "10")),
        dataset(('good", "10', "10"), ("café au lait", "9"), ("bad", "10")),
    ],
)
def test_order_rows_labels_and_letters_do(other: Dataset) -> None:
    assert fingerprint(other).sha256 != fingerprint(BASE).sha256


def test_an_empty_dataset_has_a_fingerprint() -> None:
    assert fingerprint(dataset()).text_characters.longest == 0
