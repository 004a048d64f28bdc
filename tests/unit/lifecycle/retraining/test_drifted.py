from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import DataError
from bertline.lifecycle.predictions.records import ms_of
from bertline.lifecycle.retraining.drifted import DriftSource, Finding
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.kept import keep, store_in, sure

SETTINGS = RetrainSettings()
NOW = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)


def look(source: str, champion: Path, last: Finding | None = None, **settings: Any) -> Finding:
    return DriftSource(source, "reviews", SETTINGS.model_copy(update=settings)).look(champion, NOW, last)


def verdict(path: Path, **changes: Any) -> str:
    content = {"drift": "none", "tests": [{"adjusted": 0.4}, {"adjusted": 0.9}], "labelled": None, **changes}
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    ("changes", "drifted", "words"),
    [
        ({}, False, "no drift"),
        ({"drift": "texts"}, True, "texts have drifted"),
        ({"drift": "labels"}, True, "shares of labels have shifted"),
        ({"labelled": {"alarm": 300}}, True, "labels show a drop of accuracy"),
    ],
)
def test_what_the_command_printed(tmp_path: Path, changes: dict[str, Any], drifted: bool, words: str) -> None:
    found = look(verdict(tmp_path / "drift.json", **changes), tmp_path)
    assert (found.drifted, found.p) == (drifted, 0.4)
    assert found.sentence == f"drift.json: {words} (smallest p-value 0.4)"


def test_a_table_is_compared_now(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True, rows=120)
    same, other = tmp_path / "same.txt", tmp_path / "other.txt"
    same.write_text("\n".join(random_texts(100, seed=7)))
    other.write_text("東京 は 大きい .\n" * 100)
    assert not look(str(same), tmp_path / "tiny").drifted
    found = look(str(other), tmp_path / "tiny")
    assert found.drifted
    assert found.sentence.startswith("other.txt: texts have drifted (smallest p-value ")
    assert look(str(other), tmp_path / "tiny", found) is found
    assert found.evidence != look(str(same), tmp_path / "tiny").evidence


@pytest.mark.parametrize("content", ["{", "[]", '{"drift": "none"}', '{"drift": 1, "tests": []}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "drift.json").write_text(content)
    with pytest.raises(DataError, match="is not what bertline drift --json prints: run it again, or give a table"):
        look(str(tmp_path / "drift.json"), tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"new.csv cannot be read \(No such file or directory\): give --drift what"):
        look(str(tmp_path / "new.csv"), tmp_path)


def test_a_store_is_compared_window_by_window(tmp_path: Path) -> None:
    champion, midnight = tmp_path / "tiny", datetime(2026, 11, 30, tzinfo=UTC)
    write_tiny_bundle(champion, engine=True, rows=120)
    url = f"sqlite:///{tmp_path / 'predictions.db'}"
    windows = {"before": midnight - timedelta(days=2), "yesterday": midnight - timedelta(days=1), "today": midnight}
    with store_in(tmp_path) as store:
        for name, begins in windows.items():
            texts = random_texts(60, seed=7) if name == "before" else ["東京 は 大きい ."] * 60
            keep(store, [sure("good")] * 60, texts=texts, request=name, at_ms=ms_of(begins))
    found = look(url, champion)
    assert (found.drifted, found.evidence) == (True, "predictions before 2026-11-30 00:00:00")
    assert found.sentence.startswith("1d of predictions before 2026-11-30 00:00:00 UTC: texts have drifted (smallest")
    assert look(url, champion, found) is found
    assert not look(url, champion, drift_window="2d").sentence.startswith("1d")
    few = look(url, champion, drift_window="1h")
    assert (few.drifted, few.evidence) == (False, None)
    assert "predictions of reviews has 0 texts: give at least 20" in few.sentence
