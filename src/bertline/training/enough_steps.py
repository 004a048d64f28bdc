"""More epochs for a small table, where nobody sets their number: three are too few steps to learn from.

With 200 short texts an epoch is six steps, and three of them leave the encoder almost where it started. Mosbach et al.
(2021) found the same of BERT on small data sets. docs/log.md has the figures here.
"""

from __future__ import annotations

import math

from bertline.tasks.contract import TaskSpec
from bertline.training.facts import Fact
from bertline.training.row_task import epoch_seed
from bertline.training.rows import Rows
from bertline.training.settings import OF_TABLE, TrainSettings

STEPS, MOST_EPOCHS = 60, 20


def with_enough_steps(settings: TrainSettings, spec: TaskSpec, train: Rows) -> TrainSettings:
    """These settings, with epochs for ``STEPS`` steps, at most ``MOST_EPOCHS``, unless their number was set.

    A few validation rows choose an epoch by chance, so the run ends with its last one unless ``patience`` was set.
    That is for one label per text, of which it was measured; few-shot training has steps of its own.

    Args:
        settings: of the run, with its task's defaults.
        spec: of the task.
        train: the training rows.
    """
    if getattr(spec, "problem", None) != "single" or settings.few_shot or "epochs" in settings.model_fields_set:
        return settings
    steps = len(train.plan(settings.batch_tokens, epoch_seed(settings.seed, 0)))
    epochs = min(math.ceil(STEPS / steps), MOST_EPOCHS)
    return settings.with_defaults({"epochs": epochs, "patience": epochs}) if epochs > settings.epochs else settings


def chosen(given: TrainSettings, used: TrainSettings) -> set[str]:
    """Names of the settings that the table decided."""
    return {name for name in OF_TABLE if getattr(given, name) != getattr(used, name)}


def chosen_facts(given: TrainSettings, used: TrainSettings, rows: int) -> list[Fact]:
    """What the table decided, and why; nothing where it decided nothing.

    >>> chosen_facts(TrainSettings(), TrainSettings(epochs=10), 180)
    [('Epochs', '10 instead of 3, because 180 rows make few steps; --epochs sets their number')]
    """
    if not (names := chosen(given, used)):
        return []
    kept = ", and the last one is kept" if "patience" in names else ""
    why = f"because {rows:,} rows make few steps{kept}; --epochs sets their number"
    return [("Epochs", f"{used.epochs} instead of {given.epochs}, {why}")]
