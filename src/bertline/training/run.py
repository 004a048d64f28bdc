"""``bertline train``: from a table to a verified bundle with its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bertline import __version__
from bertline.bundle.fields import MANIFEST
from bertline.destination import claim
from bertline.encoder.agreement import load_tokenizer
from bertline.encoder.checkpoint import load_pretrained, read_config
from bertline.encoder.heads import Classifier
from bertline.encoder.source import find_model
from bertline.errors import DestinationError, TrainingError
from bertline.statistics.intervals import Estimate
from bertline.tasks.history import EpochRecord
from bertline.text import Tokenizer
from bertline.training.checkpoint import discard_state, settle_unfinished, working_directory
from bertline.training.device import Placement, place
from bertline.training.estimate import measure_run
from bertline.training.facts import cut_fact
from bertline.training.loop import Run
from bertline.training.preflight import check_disk, check_start
from bertline.training.prepare import Prepared, prepare, spec_type, tokenise
from bertline.training.progress import Plan, Progress
from bertline.training.publish import Made, Measured, measure, pooling, publish
from bertline.training.row_task import RowTask, of_spec
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import TrainSettings

# Settings that do not change the result.
_FREE_TO_CHANGE = {"checkpoint_every_s"}


@dataclass(frozen=True)
class Trained:
    """The result of a run: the bundle and the figures of its test rows."""

    bundle: Path
    measured: Measured
    history: tuple[EpochRecord, ...]

    def headline(self) -> list[tuple[str, Estimate]]:
        """The headline figures, the baselines' scores among them."""
        return self.measured.headline()


def train(
    source: str,
    out: Path,
    settings: TrainSettings,
    progress: Progress,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Trained:
    """Fine-tune ``settings.model`` on the table ``source`` and write the bundle ``out``.

    Args:
        source: the table's path, or ``-`` for standard input.
        out: directory of the bundle.
        settings: of the run.
        progress: listens to the run.
        resume: go on with an unfinished run that was started with the same data and settings, if there is one.
        overwrite: replace a bundle at ``out``, and forget an unfinished run.

    Raises:
        DataError, CheckpointError, BundleError, DestinationError: the table, the model or the target cannot be used.
        TrainingError: an unfinished run is in the way, or differs from what is asked; a loss is not finite.
        Interrupted: a signal asked to stop; the state to resume from is on disk.
    """
    check_start(out, overwrite=overwrite, baselines=True)
    with claim(out, "the bundle"):
        directory = working_directory(out)
        settle_unfinished(directory, resume=resume, overwrite=overwrite)
        placement = place(settings)
        spec_type(source, settings)
        model, tokenizer = _open(out, settings)
        prepared = prepare(source, settings, progress)
        made = _fit(model, tokenizer, prepared, settings, placement, progress, directory, resume=resume)
        try:
            publish(out, made, overwrite=overwrite)
        except DestinationError as error:
            raise DestinationError(
                f"{error}; the trained weights are kept: run the same command with --resume"
            ) from error
        discard_state(directory)
    return Trained(out, made.measured, made.history)


def _open(out: Path, settings: TrainSettings) -> tuple[Path, Tokenizer]:
    """The checkpoint's directory and its tokenizer.

    All of the checkpoint is read, which takes a second, so that what is wrong with it is said before a table is read
    and searched for duplicates.
    """
    model = find_model(settings.model)
    config, _ = read_config(model)
    _check_positions(config.max_positions, settings)
    tokenizer = load_tokenizer(model, bundle=(model / MANIFEST).is_file())
    check_disk(out, load_pretrained(model, labels=2, pooling=settings.pooling, dropout=settings.dropout))
    return model, tokenizer


def _fit(
    model: Path,
    tokenizer: Tokenizer,
    prepared: Prepared,
    settings: TrainSettings,
    placement: Placement,
    progress: Progress,
    directory: Path,
    *,
    resume: bool,
) -> Made:
    """Train on the prepared rows and evaluate the network."""
    spec = prepared.spec
    rows = {name: tokenise(some, tokenizer, spec, settings) for name, some in prepared.splits.items()}
    train, validation = rows["train"], rows["validation"]
    facts = [cut_fact([reading for some in rows.values() for reading in some.readings], settings)]
    facts += spec.notes(train.targets, train.readings)
    for fact in facts:
        progress.note(": ".join(fact))
    torch.manual_seed(settings.seed)
    classifier = load_pretrained(
        model, labels=len(spec.labels), pooling=pooling(spec, settings), dropout=settings.dropout
    )
    task = of_spec(spec, train, validation, settings, balanced=settings.class_weights == "balanced")
    progress.planned(_plan(classifier, rows, prepared, settings, placement, task))
    identity = _identity(prepared, settings, placement)
    history = Run(classifier, task, settings, placement, progress, directory, identity).fit(resume=resume)
    progress.note("Evaluating on the test rows")
    # In fp32, as the bundle will answer.
    outputs = {name: score(classifier, rows[name], placement.device) for name in ("validation", "test")}
    measured = measure(rows, outputs, prepared, settings)
    run_facts = (*facts, ("Trained on", placement.name))
    return Made(classifier, tokenizer, prepared, settings, measured, history, run_facts, train, validation)


def _check_positions(positions: int, settings: TrainSettings) -> None:
    if settings.max_tokens > positions:
        raise TrainingError(
            f"--max-tokens is {settings.max_tokens}, but {settings.model} has {positions} positions: "
            f"give at most {positions}"
        )


def _identity(prepared: Prepared, settings: TrainSettings, placement: Placement) -> Mapping[str, Any]:
    """Whatever must be the same when a run is resumed."""
    requested = settings.model_dump(mode="json", exclude=_FREE_TO_CHANGE)
    return {
        "data": prepared.fingerprint.sha256,
        "evaluation data": prepared.test_fingerprint.sha256,
        **requested,
        "place": placement.name,
        "bertline version": __version__,
        "torch version": version("torch"),
    }


def _plan(
    classifier: Classifier,
    rows: Mapping[str, Rows],
    prepared: Prepared,
    settings: TrainSettings,
    placement: Placement,
    task: RowTask,
) -> Plan:
    train = rows["train"]
    seconds, token_seconds = measure_run(classifier, task, settings, placement)
    return Plan(
        train_rows=len(train.readings),
        validation_rows=len(rows["validation"].readings),
        test_rows=len(rows["test"].readings),
        labels=prepared.spec.names,
        epochs=settings.epochs,
        steps=len(train.plan(settings.batch_tokens, 0)) * settings.epochs,
        tokens_per_epoch=sum(train.lengths),
        place=placement.name,
        seconds=seconds,
        token_seconds=token_seconds,
    )
