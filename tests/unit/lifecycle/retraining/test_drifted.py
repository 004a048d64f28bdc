from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import DataError
from bertline.lifecycle.retraining.drifted import look
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.testing.tiny import random_texts, write_tiny_bundle

SETTINGS = RetrainSettings()


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
    found = look(verdict(tmp_path / "drift.json", **changes), tmp_path, SETTINGS)
    assert (found.drifted, found.p) == (drifted, 0.4)
    assert found.sentence == f"drift.json: {words} (smallest p-value 0.4)"


def test_a_table_is_compared_now(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True, rows=120)
    same, other = tmp_path / "same.txt", tmp_path / "other.txt"
    same.write_text("\n".join(random_texts(100, seed=7)))
    other.write_text("東京 は 大きい .\n" * 100)
    assert not look(str(same), tmp_path / "tiny", SETTINGS).drifted
    found = look(str(other), tmp_path / "tiny", SETTINGS)
    assert found.drifted
    assert found.sentence.startswith("other.txt: texts have drifted (smallest p-value ")
    assert found.evidence != look(str(same), tmp_path / "tiny", SETTINGS).evidence


@pytest.mark.parametrize("content", ["{", "[]", '{"drift": "none"}', '{"drift": 1, "tests": []}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "drift.json").write_text(content)
    with pytest.raises(DataError, match="is not what bertline drift --json prints: run it again, or give a table"):
        look(str(tmp_path / "drift.json"), tmp_path, SETTINGS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"new.csv cannot be read \(No such file or directory\): give --drift what"):
        look(str(tmp_path / "new.csv"), tmp_path, SETTINGS)
