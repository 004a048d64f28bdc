from __future__ import annotations

from bertline.training.settings import TrainSettings


def test_defaults_of_a_task_fill_only_what_nobody_set() -> None:
    settings = TrainSettings(epochs=3).with_defaults({"epochs": 10, "lr": 3e-4})
    assert (settings.epochs, settings.lr) == (3, 3e-4)
    assert settings.with_defaults({"lr": 1e-3}).lr == 3e-4
