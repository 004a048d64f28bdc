"""Bad rows are counted by reason, and told in one sentence."""

from __future__ import annotations

import pytest

from bertline.data.rows import NUL, UNDECODABLE, BadRow, BadRows, line_fault


def test_the_error_lists_a_single_row() -> None:
    bad = BadRows("reviews.csv")
    bad.add(BadRow(4, "empty text in column 'text'"))
    assert str(bad.error()) == (
        "reviews.csv has 1 bad row (line 4: empty text in column 'text'); "
        "fix it or pass --skip-bad-rows to leave it out"
    )


def test_the_error_lists_the_first_rows_and_counts_the_rest() -> None:
    bad = BadRows("reviews.parquet", "row")
    for line in range(1, 1206):
        bad.add(BadRow(line, "too few fields", f"{line} where the header has 9"))
    assert len(bad) == 1205
    assert str(bad.error()) == (
        "reviews.parquet has 1,205 bad rows (row 1: too few fields (1 where the header has 9); "
        "row 2: too few fields (2 where the header has 9); row 3: too few fields (3 where the header has 9); "
        "and 1,202 more); fix them or pass --skip-bad-rows to leave them out"
    )


def test_the_remedy_for_undecodable_bytes_is_the_encoding() -> None:
    bad = BadRows("reviews.csv")
    bad.add(BadRow(2, UNDECODABLE))
    assert "give the file's --encoding (such as latin-1 or cp1252) or save it as UTF-8 or pass" in str(bad.error())


def test_skipping_rows_is_not_suggested_if_no_row_would_remain() -> None:
    bad = BadRows("reviews.csv")
    bad.add(BadRow(2, "too many fields"))
    assert str(bad.error(skipped=True)) == "reviews.csv has only 1 bad row (line 2: too many fields); fix it"


def test_reasons_are_counted_without_their_details() -> None:
    bad = BadRows("reviews.csv")
    for line, reason in enumerate(["a", "b", "a"]):
        bad.add(BadRow(line, reason, f"detail {line}"))
    assert bad.counts == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"plain", None),
        ("naïve 👍 \ufffd".encode(), None),
        (b"a\0b", (NUL, "")),
        (b"caf\xe9", (UNDECODABLE, "0xe9 at character 4 is not utf-8")),
        (b"\xed\xa0\xbd", (UNDECODABLE, "0xed at character 1 is not utf-8")),
    ],
)
def test_bytes_that_are_not_text_are_detected(line: bytes, fault: tuple[str, str] | None) -> None:
    assert line_fault(line.decode("utf-8", "surrogateescape"), "utf-8") == fault
