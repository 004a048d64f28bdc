from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from bertline.lifecycle.gate.settings import GateSettings
from bertline.lifecycle.retraining.settings import RetrainSettings, period


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_lengths_of_time(text: str, length: timedelta) -> None:
    assert period(text) == length
    assert RetrainSettings(every=text).every == text


@pytest.mark.parametrize("text", ["7", "d", "0d", "1.5h", "-1d", "1y", ""])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValidationError):
        RetrainSettings(every=text)


def test_settings_come_back_from_a_record() -> None:
    settings = RetrainSettings(data=("a.csv",), directory=Path("here"), margin=1.0, slice_columns=("year",))
    assert RetrainSettings(**settings.model_dump(mode="json")) == settings


def test_the_gate_gets_its_own() -> None:
    assert RetrainSettings(margin=1.0, data=("a.csv",)).tables() == GateSettings(margin=1.0)
