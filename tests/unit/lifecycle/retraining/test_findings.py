from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bertline.lifecycle.predictions.checks import DriftCheck
from bertline.lifecycle.retraining import findings
from bertline.lifecycle.retraining.drifted import DriftSource, Finding
from bertline.lifecycle.retraining.findings import keep, recalled
from bertline.lifecycle.retraining.home import Home
from bertline.lifecycle.retraining.settings import RetrainSettings

SOURCE = DriftSource("sqlite:///predictions.db", "films", RetrainSettings())
CHECK = DriftCheck("films", 1_700_000_000_000, 500, "texts", {"answers": 0.002}, 0.9, 0.05)
FOUND = Finding("predictions before noon", True, 0.002, "texts have drifted", CHECK)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, "films")
    made.path.mkdir()
    return made


@pytest.mark.parametrize("found", [FOUND, replace(FOUND, check=None)])
def test_a_finding_comes_back_whole(home: Home, found: Finding) -> None:
    assert recalled(home, SOURCE, "d1") is None
    keep(home, SOURCE, "d1", found)
    assert recalled(home, SOURCE, "d1") == found


@pytest.mark.parametrize(
    ("source", "champion"),
    [
        (SOURCE, "d2"),
        (replace(SOURCE, source="sqlite:///others.db"), "d1"),
        (replace(SOURCE, model="served"), "d1"),
        (replace(SOURCE, settings=RetrainSettings(drift_window="7d")), "d1"),
        (replace(SOURCE, settings=RetrainSettings(text_column="body")), "d1"),
    ],
)
def test_one_of_another_champion_or_source_is_none(home: Home, source: DriftSource, champion: str) -> None:
    keep(home, SOURCE, "d1", FOUND)
    assert recalled(home, source, champion) is None


def test_one_of_another_version_of_bertline_is_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(home, SOURCE, "d1", FOUND)
    monkeypatch.setattr(findings, "__version__", "0.0.0")
    assert recalled(home, SOURCE, "d1") is None


@pytest.mark.parametrize("content", ["", "[]", '{"of": 1}', "{"])
def test_a_damaged_file_is_none(home: Home, content: str) -> None:
    (home.path / "finding.json").write_text(content)
    assert recalled(home, SOURCE, "d1") is None


def test_too_little_to_look_at_is_not_kept(home: Home) -> None:
    keep(home, SOURCE, "d1", FOUND)
    keep(home, SOURCE, "d1", Finding(None, False, 1.0, "too few"))
    assert recalled(home, SOURCE, "d1") == FOUND
