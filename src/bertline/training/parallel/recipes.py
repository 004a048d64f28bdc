"""What several processes can learn together, and what needs one."""

from __future__ import annotations

from bertline.errors import SettingsError
from bertline.tasks.contract import TaskSpec
from bertline.training.parallel.ranks import Ranks
from bertline.training.settings import TrainSettings


def check_recipe(settings: TrainSettings, ranks: Ranks) -> None:
    """Before anything is read.

    Raises:
        SettingsError: few-shot training has a few steps of 16 texts, which are not worth sharing.
    """
    if settings.few_shot and ranks.world > 1:
        raise SettingsError(
            f"few_shot cannot be combined with {ranks.world} processes, because it takes a minute and a few steps: "
            "train in one process"
        )


def check_task(spec: TaskSpec, ranks: Ranks) -> None:
    """Once the table is read.

    Raises:
        SettingsError: the loss of an embedder compares every text with all others of its batch, not only with the
            rank's own.
    """
    if spec.apart and ranks.world > 1:
        raise SettingsError(
            f"an embedder cannot be trained in {ranks.world} processes, because its loss compares all texts of a "
            "batch: train in one process"
        )
