from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bertline.lifecycle.retraining.context import Run
from bertline.lifecycle.retraining.training_steps import _used
from bertline.training.of_table import MOST_EPOCHS
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences, write_csv


@pytest.mark.parametrize(
    ("given", "recorded"), [({}, (MOST_EPOCHS, MOST_EPOCHS)), ({"epochs": 2}, (2, 2)), ({"epochs": 4}, (4, 2))]
)
def test_the_record_of_a_run_has_the_epochs_that_it_really_had(
    model: Path, tmp_path: Path, given: dict[str, Any], recorded: tuple[int, int]
) -> None:
    settings = TrainSettings(model=str(model), max_tokens=32, precision="fp32", lr=1e-3, **given)
    train(str(write_csv(tmp_path / "few.csv", sentences(60))), tmp_path / "bundle", settings, Silent())
    used = _used(cast(Run, SimpleNamespace(bundle=tmp_path / "bundle", training=settings)))
    assert (used["epochs"], used["patience"]) == recorded
