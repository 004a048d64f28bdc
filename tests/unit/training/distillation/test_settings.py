from __future__ import annotations

from pathlib import Path

import pytest

from bertline.config import load_settings
from bertline.errors import SettingsError
from bertline.training.distillation.settings import DistillSettings


def test_they_load_as_the_component_distill(tmp_path: Path) -> None:
    file = tmp_path / "bertline.toml"
    file.write_text('[distill]\nlayers = 2\nunlabelled = ["a.txt"]\nlr = 1e-3\n')
    environ = {"BERTLINE_DISTILL_EPOCHS": "4", "BERTLINE_DISTILL_UNLABELLED": "b.txt,c.csv"}
    found = load_settings(DistillSettings, "distill", {"lr": 2e-3}, file=file, environ=environ)
    assert (found.layers, found.epochs, found.unlabelled, found.lr) == (2, 4, ("b.txt", "c.csv"), 2e-3)
    assert (found.feed_forward, found.start) == (None, None)


@pytest.mark.parametrize("name", ["layers", "feed_forward"])
def test_there_is_at_least_one_layer_and_one_neuron(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"--{name.replace('_', '-')} is 0: input should be greater than or equal to 1"
    ):
        load_settings(DistillSettings, "distill", {name: 0}, file=tmp_path / "none", environ={})


def test_a_start_and_a_width_are_asked_for_by_name(tmp_path: Path) -> None:
    environ = {"BERTLINE_DISTILL_START": "small", "BERTLINE_DISTILL_FEED_FORWARD": "512"}
    found = load_settings(DistillSettings, "distill", {}, file=tmp_path / "none", environ=environ)
    assert (found.start, found.feed_forward, found.layers) == (Path("small"), 512, None)
