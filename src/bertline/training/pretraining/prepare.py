"""From files of text and settings to a task for the loop: tokens, sequences, the network, and what all will take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bertline.data.corpus import Corpus
from bertline.data.settings import LabelledTableSettings, TableSettings
from bertline.data.table import check_file
from bertline.errors import SettingsError
from bertline.training.device import Placement, place
from bertline.training.estimate import measure_run
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.preflight import check_disk
from bertline.training.pretraining.downstream import NO_TASK, Downstream
from bertline.training.pretraining.forecast import Forecast
from bertline.training.pretraining.held_out import SHARE
from bertline.training.pretraining.masking import NextTokens, Objective, masking_of
from bertline.training.pretraining.network import Network, open_network
from bertline.training.pretraining.probe import Probe, read_probe
from bertline.training.pretraining.sequences import Sequences
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.pretraining.task import MaskedTask
from bertline.training.pretraining.tokens import Tokens, tokens_of
from bertline.training.progress import Progress

NOTE_EVERY_S = 10.0


@dataclass(frozen=True)
class Prepared:
    """What a run needs."""

    network: Network
    tokens: Tokens
    task: MaskedTask
    placement: Placement


def tokens_directory(out: Path) -> Path:
    """Where the tokens of the run that will become ``out`` are kept: beside it."""
    return out.with_name(f".{out.name}.tokens")


def prepare(
    texts: Sequence[str],
    out: Path,
    settings: PretrainSettings,
    progress: Progress,
    downstream: Downstream = NO_TASK,
    ranks: Ranks = ALONE,
) -> Prepared:
    """Open the network, write the tokens, and lay out the steps.

    Raises:
        SettingsError: settings that contradict each other.
        DataError, CheckpointError, DestinationError: the texts, the base or the target cannot be used.
    """
    check_texts(texts, "pretrain")
    placement, network = place(settings, ranks), open_network(settings)
    if ranks.leads:
        check_disk(out, network.model)
    probe = downstream.probe or _probe(settings, network)
    tokens = ranks.in_turn(partial(_tokens, texts, out, network, settings, progress, downstream))
    return Prepared(network, tokens, _task(tokens, network, settings, probe), placement)


def check_texts(texts: Sequence[str], what: str) -> None:
    """Check that files of text are there and can be read again.

    Args:
        texts: the files.
        what: reads them, for messages.

    Raises:
        SettingsError: one of them is standard input.
        DataError: one is missing.
    """
    if "-" in texts:
        raise SettingsError(
            f"{what} cannot read standard input, because a resumed run reads the texts again: give a file"
        )
    for text in texts:
        check_file(Path(text), text)


def forecast(prepared: Prepared, settings: PretrainSettings, ranks: Ranks = ALONE) -> Forecast:
    """What the run will take, by a few steps that change nothing."""
    task, tokens, placement = prepared.task, prepared.tokens, prepared.placement
    loop = settings.of_the_loop(task.measurements)
    seconds, token_seconds = measure_run(prepared.network.model, task, loop, placement, ranks)
    return Forecast(
        texts=tokens.texts,
        held_out_texts=tokens.held_out_texts,
        text_tokens=len(tokens.train),
        held_out_tokens=len(tokens.held_out),
        trained_tokens=task.steps * task.step_tokens,
        passes=task.steps * task.accumulate * task.rows / len(task.train),
        steps=task.steps,
        parameters=prepared.network.parameters,
        place=placement.name,
        seconds=seconds,
        token_seconds=token_seconds,
        price_per_hour=settings.price_per_hour,
    )


def _probe(settings: PretrainSettings, network: Network) -> Probe | None:
    if settings.probe is None:
        return None
    read = {name: getattr(settings, name) for name in (*TableSettings.model_fields, "label_column")}
    table = LabelledTableSettings(**read).beside(settings.probe)
    return read_probe(
        settings.probe, table, network.tokenizer, rows=settings.probe_rows, max_tokens=settings.sequence_tokens
    )


def _tokens(
    texts: Sequence[str],
    out: Path,
    network: Network,
    settings: PretrainSettings,
    progress: Progress,
    downstream: Downstream,
) -> Tokens:
    noted = time.monotonic()

    def notify(read: int, count: int) -> None:
        nonlocal noted
        if time.monotonic() - noted >= NOTE_EVERY_S:
            noted = time.monotonic()
            progress.note(f"Reading: {read:,} texts, {count:,} tokens")

    table = TableSettings(**{name: getattr(settings, name) for name in TableSettings.model_fields})
    tokens = tokens_of(
        tokens_directory(out),
        Corpus(texts, table, downstream.texts),
        network.tokenizer,
        held_out_tokens=settings.held_out_tokens,
        excluded=downstream.held_out,
        identity=[network.tokenizer.fingerprint, downstream.digest],
        notify=notify,
    )
    if tokens.skipped:
        progress.note(f"{tokens.skipped:,} bad rows left out")
    if tokens.excluded:
        progress.note(f"{tokens.excluded:,} texts left out, because they are among the held-out rows")
    return tokens


def _task(tokens: Tokens, network: Network, settings: PretrainSettings, probe: Probe | None) -> MaskedTask:
    tokenizer = network.tokenizer
    train = Sequences(tokens.train, settings.sequence_tokens, tokenizer.cls_id, settings.seed)
    rows = max(1, settings.batch_tokens // train.length)
    wanted = settings.tokens or settings.epochs * len(train) * train.length
    steps = max(1, -(-wanted // (rows * train.length * settings.accumulate)))
    masking: Objective = NextTokens()
    if not settings.causal:
        whole, only = settings.whole_words, settings.mask_only
        masking = masking_of(tokenizer, settings.mask_share, whole_words=whole, mask_only=only)
    return MaskedTask(
        train=train,
        held_out=Sequences(tokens.held_out, settings.sequence_tokens, tokenizer.cls_id),
        masking=masking,
        measured=NextTokens() if settings.causal else masking_of(tokenizer, SHARE, mask_only=True),
        rows=rows,
        accumulate=settings.accumulate,
        steps=steps,
        measurements=min(settings.measurements, steps),
        seed=settings.seed,
        probe=probe,
    )
