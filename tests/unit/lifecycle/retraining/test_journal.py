from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bertline.errors import DestinationError
from bertline.lifecycle.retraining.journal import FILE, Journal, new_id, read, stamp, write

NOW = datetime(2026, 11, 30, 12, 5, 1, tzinfo=UTC)
JOURNAL = Journal("1", "films", stamp(NOW), ("schedule", "labels"), 1, "ab", {"every": "7d"})


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read(tmp_path / "run") is None
    journal = JOURNAL.with_step("snapshot", {"rows": 3}).over("rejected", "no", NOW)
    write(tmp_path / "run", journal)
    assert read(tmp_path / "run") == journal
    assert (journal.ended, journal.done) == ("2026-11-30T12:05:01Z", {"snapshot": {"rows": 3}})


def test_ids_sort_by_time() -> None:
    first, second = new_id(NOW), new_id(NOW.replace(second=2))
    assert first < second
    assert first.startswith("20261130T120501Z-")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(DestinationError, match=r"journal.json is not the record of a run .*: move its directory away"):
        read(tmp_path)
