"""Which tables few-shot training is for."""

from __future__ import annotations

from collections import Counter

from bertline.data.examples import Dataset
from bertline.errors import DataError, SettingsError
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.training.facts import Fact
from bertline.training.settings import TrainSettings

LEAST = 2  # texts of a label: one to learn from while the other is held out
MOST = 64  # texts of a label, up to which it is recommended
_REMEDIES = {
    "pooling": "it has a head of its own, so leave it out",
    "adapt": "adapt the model with bertline pretrain first and give its output as model",
    "head": "its head is always fitted, so leave it out",
    "quality": "it has one run, so leave it out",
    "epochs": "its steps follow from the number of rows, so leave it out",
    "patience": "it has no early stopping, so leave it out",
    "batch_tokens": "its batches have a few rows of each label, so leave it out",
    "validation_ratio": "it holds no rows out, so leave it out",
    "test_ratio": "it holds no rows out, so leave it out",
}


def unused(settings: TrainSettings) -> set[str]:
    """Names of the settings that have no meaning for the run."""
    return {*_REMEDIES} if settings.few_shot else set()


def check_few(spec: TaskSpec, dataset: Dataset, settings: TrainSettings) -> None:
    """Check that the recipe suits a table and settings.

    Raises:
        SettingsError: it is for another task, or a setting has no meaning for it.
        DataError: a label has too few rows.
    """
    if not _one_label(spec):
        raise SettingsError("few_shot is for classifiers with one label per text: leave it out")
    for name, remedy in _REMEDIES.items():
        if name in settings.model_fields_set:
            raise SettingsError(f"{name} cannot be combined with few_shot: {remedy}")
    for label, count in Counter(map(str, dataset.targets)).items():
        if count < LEAST:
            raise DataError(
                f"{dataset.source} has one row with the label {label!r}: give at least {LEAST}, better 8 or more"
            )


def hints(spec: TaskSpec, dataset: Dataset) -> list[Fact]:
    """A pointer to the recipe if the table is small."""
    if not _one_label(spec) or max(Counter(map(str, dataset.targets)).values()) > MOST:
        return []
    return [("Few rows", f"no label has more than {MOST}; --few-shot learns from all of them")]


def _one_label(spec: TaskSpec) -> bool:
    return isinstance(spec, Spec) and spec.problem == "single"
