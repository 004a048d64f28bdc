from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.database.database import Database
from bertline.errors import UsageError
from bertline.lifecycle.drift.live_accuracy import expected_accuracy
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.retraining import fallen
from bertline.lifecycle.retraining.fallen import AccuracySource, Fall
from bertline.statistics.sequential import Baseline
from bertline.tasks.classify import feedback
from bertline.testing.tiny import write_tiny_bundle
from tests.kept import OLD, keep, store_in

BEGAN_MS, HOUR_MS = 1_800_000_000_000, 3_600_000
ANSWER = {"label": "neutral", "probabilities": {"neutral": 1.0}}


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=120)
    return target


def labelled(store: Database, champion: Path, name: str, right: list[bool], hour: int, **fields: Any) -> None:
    """Predictions of an hour, and what would have been correct; the latest feedback comes first."""
    manifest = load(champion).manifest
    given = {"digest": manifest.checksum, "spec": manifest.task, **fields}
    keep(store, [ANSWER] * len(right), request=name, at_ms=BEGAN_MS + hour * HOUR_MS, **given)
    items = [Feedback(f"{name}{n}", "neutral" if one else "positive") for n, one in enumerate(right)]
    receive(store, items[::-1])


def test_accuracy_falls_and_comes_back(champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = AccuracySource(f"sqlite:///{tmp_path / 'predictions.db'}", "reviews")
    usual, bad = [False, True, True, True], [False, True]
    with store_in(tmp_path) as store:
        labelled(store, champion, "other", [False] * 100, 0, digest=OLD)
        assert source.look(champion, None) == Fall(
            None, False, False, None, "there is no feedback on answers of the champion as reviews"
        )
        labelled(store, champion, "usual", usual * 40, 0)
        calm = source.look(champion, None)
        monkeypatch.setattr(fallen, "expected_accuracy", None)  # the rows are answered once
        assert (calm.fallen, calm.steady) == (False, False)  # 160 labels are too few to be sure
        assert calm == source.look(champion, None)
        labelled(store, champion, "bad", bad * 100, 1)
        fell = source.look(champion, None)
        labelled(store, champion, "good", [True] * 300, 2)
        back = source.look(champion, None)
        later = source.look(champion, datetime.fromtimestamp(BEGAN_MS / 1000 + 7200, UTC).isoformat())
    assert calm.sentence == "no drop of accuracy: 75.0\u202f% on 160 labels, 71.0\u202f% was expected"
    assert (fell.fallen, fell.steady, back.fallen, back.steady) == (True, False, False, True)
    assert (
        fell.sentence == "accuracy fell: 50.0\u202f% on 200 labels since 2027-01-15 09:00 UTC, 71.0\u202f% was expected"
    )
    assert back.newest == "2027-01-15T10:00:00.299000+00:00"
    assert later.sentence == "no drop of accuracy: 100.0\u202f% on 300 labels, 71.0\u202f% was expected"
    assert len({calm.evidence, fell.evidence, back.evidence, later.evidence}) == 4
    assert source.expected == {champion: Baseline(90, 120)}


def test_a_task_whose_accuracy_cannot_be_expected(
    champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert expected_accuracy(champion, DriftSettings()).accuracy > 0.7
    monkeypatch.setattr(feedback, "as_tested", lambda spec: False)
    with pytest.raises(UsageError, match="the accuracy of reviews in production cannot be expected from its test rows"):
        AccuracySource("sqlite:///none.db", "reviews").look(champion, None)
