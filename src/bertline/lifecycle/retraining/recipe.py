"""The champion's own settings for the next training, as its bundle has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertline.bundle import Manifest
from bertline.errors import TrainingError
from bertline.tasks import task
from bertline.training.settings import OF_TABLE, TrainSettings

FULL_ENGINES = {"fp32"}


def check_trainable(title: str, manifest: Manifest) -> None:
    """Check that ``train`` can make the champion's successor.

    Raises:
        TrainingError: it was made otherwise.
    """
    if not task(manifest.task.task).learns:
        raise TrainingError(
            f"{title} is for the task {manifest.task.task}, which is not trained on labelled rows, so it cannot be "
            "retrained: pre-train its encoder with bertline pretrain"
        )
    if "teacher" in manifest.lineage:
        raise TrainingError(
            f"{title} was distilled from {manifest.lineage['teacher']}: retrain its teacher, then bertline distill it "
            "again, and let bertline gate judge the student"
        )
    if not manifest.training:
        raise TrainingError(
            f"{title} was imported and not trained, so its bundle has no settings to train with: train a successor "
            "with bertline train, and let bertline gate judge it"
        )


def train_settings(
    manifest: Manifest,
    champion: Path,
    columns: Mapping[str, Any],
    *,
    start: str = "base",
    model: str | None = None,
) -> TrainSettings:
    """The settings of the champion's training, for the tables of a snapshot.

    Args:
        manifest: of the champion.
        champion: directory of its bundle.
        columns: of the snapshot's tables.
        start: "champion" to go on from its weights.
        model: encoder to start from in place of the one that the champion started from.

    Raises:
        TrainingError: the bundle's settings are not those of ``train``.
    """
    known = {name: value for name, value in manifest.training.items() if name in TrainSettings.model_fields}
    spec = manifest.task
    # Bundles of earlier versions name the default number of epochs, though nobody asked for it.
    defaults = TrainSettings().with_defaults(spec.training_defaults)
    known = {name: value for name, value in known.items() if name not in OF_TABLE or value != getattr(defaults, name)}
    known |= {"task": spec.task, **columns}
    if spec.task == "classify":
        known["problem"] = getattr(spec, "problem", "single")
    if start == "champion":
        known["model"] = str(champion)
    elif model is not None:
        known["model"] = model
    try:
        return TrainSettings(**known)
    except ValueError as error:
        raise TrainingError(
            f"the settings in the bundle of {manifest.name} are not those of bertline train ({error}): train a "
            "successor by hand"
        ) from None


def has_engines(manifest: Manifest) -> bool:
    """Whether the champion has engines that ``optimize`` built."""
    return any(one.name not in FULL_ENGINES for one in manifest.engines)
