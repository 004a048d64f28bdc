"""What a table decides where nobody sets it: larger batches for long texts, more epochs for few rows.

A batch has a fixed number of tokens, so long texts leave it few rows, and the gradient of five reviews is mostly noise.
Of ten news stories it is not: larger batches gained nothing there, nor with sentences.
With 200 short texts an epoch is six steps, and three of them leave the encoder almost where it started: Mosbach et al.
(2021) found the same of BERT on small data sets. docs/log.md has the figures here.
"""

from __future__ import annotations

import math

from bertline.tasks.contract import TaskSpec
from bertline.training.facts import Fact
from bertline.training.row_task import epoch_seed
from bertline.training.rows import Rows
from bertline.training.settings import OF_TABLE, TrainSettings

LONG = 128  # tokens of a text on average: not eight of them fit into a batch
TEXTS_OF_BATCH = 16  # of average length that fill the batch of long texts, at least
STEPS, MOST_EPOCHS = 60, 20


def with_table(settings: TrainSettings, spec: TaskSpec, train: Rows) -> TrainSettings:
    """These settings, with what suits the table for those that nobody set.

    Batches of long texts hold ``TEXTS_OF_BATCH`` of average length, or more. The epochs are enough for ``STEPS`` steps,
    at most ``MOST_EPOCHS``: a few validation rows choose an epoch by chance, so such a run ends with its last one
    unless ``patience`` was set. Epochs were measured with one and several labels per text, and numbers keep theirs;
    few-shot training has steps of its own.

    Args:
        settings: of the run, with its task's defaults.
        spec: of the task.
        train: the training rows.
    """
    problem = getattr(spec, "problem", None)
    if problem is None or settings.few_shot:
        return settings
    if are_long(train):
        settings = settings.with_defaults({"batch_tokens": _enough_tokens(train, settings.batch_tokens)})
    if problem == "number" or "epochs" in settings.model_fields_set:
        return settings
    steps = len(train.plan(settings.batch_tokens, epoch_seed(settings.seed, 0)))
    epochs = min(math.ceil(STEPS / steps), MOST_EPOCHS)
    return settings.with_defaults({"epochs": epochs, "patience": epochs}) if epochs > settings.epochs else settings


def are_long(train: Rows) -> bool:
    """Whether the texts are long, on average and as far as they are read."""
    return _mean_tokens(train) > LONG


def _mean_tokens(train: Rows) -> float:
    return float(sum(train.lengths)) / len(train)


def _enough_tokens(train: Rows, least: int) -> int:
    """A multiple of ``least`` that ``TEXTS_OF_BATCH`` texts of average length fit in."""
    return least * max(1, math.ceil(TEXTS_OF_BATCH * _mean_tokens(train) / least))


def chosen(given: TrainSettings, used: TrainSettings) -> set[str]:
    """Names of the settings that the table decided."""
    return {name for name in OF_TABLE if getattr(given, name) != getattr(used, name)}


def chosen_facts(given: TrainSettings, used: TrainSettings, train: Rows) -> list[Fact]:
    """What the table decided, and why; nothing where it decided nothing.

    Args:
        given: the settings before.
        used: the settings after.
        train: the training rows.
    """
    names, facts = chosen(given, used), []
    if "batch_tokens" in names:
        why = f"because texts have {_mean_tokens(train):.0f} tokens on average; --batch-tokens sets it"
        facts.append(("Tokens of a batch", f"{used.batch_tokens:,} instead of {given.batch_tokens:,}, {why}"))
    if "epochs" in names:
        kept = ", and the last one is kept" if "patience" in names else ""
        why = f"because {len(train):,} rows make few steps{kept}; --epochs sets their number"
        facts.append(("Epochs", f"{used.epochs} instead of {given.epochs}, {why}"))
    return facts
