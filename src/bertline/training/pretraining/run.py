"""``bertline pretrain``: files of text in, an encoder with its language-model head out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from bertline.bundle.output import Output
from bertline.bundle.tree import sha256
from bertline.destination import claim
from bertline.encoder.masked import save_masked
from bertline.errors import DestinationError
from bertline.statistics.as_json import as_json
from bertline.statistics.intervals import Estimate
from bertline.tasks.history import EpochRecord
from bertline.training.checkpoint import discard_state
from bertline.training.finished import RUN, Finished, check_same_run, figures_of, run_record
from bertline.training.parallel.join import current
from bertline.training.pretraining.downstream import NO_TASK, Downstream
from bertline.training.pretraining.forecast import Forecast
from bertline.training.pretraining.held_out import HeldOut, held_out_of
from bertline.training.pretraining.network import Network, open_tokenizer
from bertline.training.pretraining.prepare import Prepared, check_texts, prepare, tokens_directory
from bertline.training.pretraining.prepare import forecast as forecast_of
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.pretraining.steps import Steps, figures_text
from bertline.training.progress import Progress
from bertline.training.session import Session, claimed, run_before
from bertline.training.settings import OF_PROCESSES

WHAT, REPORT = "pre-trained encoder", "pretraining.json"

# Settings that do not change the result.
_FREE_TO_CHANGE = {"checkpoint_every_s", "price_per_hour", *OF_PROCESSES}


@dataclass(frozen=True)
class Pretrained:
    """An encoder on disk and what was measured.

    Attributes:
        out: its directory.
        network: of the run.
        forecast: what was expected.
        start: figures before the first step.
        history: the record of each measurement.
        held_out: figures of the held-out texts.
        probe: accuracy of the linear classifier, if there is a table to probe with.
        identity: of the downstream task.
    """

    out: Path
    network: Network
    forecast: Forecast
    start: Mapping[str, float]
    history: tuple[EpochRecord, ...]
    held_out: HeldOut
    probe: Estimate | None
    identity: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What the figures were measured on."""
        what = "tokens" if self.held_out.causal else "masked tokens"
        return f"{self.held_out.tokens:,} {what} in {self.held_out.sequences:,} sequences of held-out texts"

    def headline(self) -> list[tuple[str, Estimate]]:
        """The figures by name, with their intervals."""
        figures = self.held_out.headline()
        return figures if self.probe is None else [*figures, ("probe_accuracy", self.probe)]

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        seconds = sum(one.seconds for one in self.history)
        return {
            "directory": str(self.out),
            **self.forecast.to_json(),
            "config": asdict(self.network.config),
            "fresh": self.network.fresh,
            "trained_seconds": seconds,
            "tokens_per_s": sum(one.tokens for one in self.history) / max(seconds, 1e-9),
            "start": dict(self.start),
            "held_out": self.held_out.to_json(),
            "probe_accuracy": None if self.probe is None else self.probe.to_json(),
            "history": as_json(self.history),
            **({"identity": dict(self.identity)} if self.identity else {}),
        }


def pretrain(
    texts: Sequence[str],
    out: Path,
    settings: PretrainSettings,
    progress: Progress,
    *,
    resume: bool = False,
    overwrite: bool = False,
    downstream: Downstream = NO_TASK,
) -> Pretrained:
    """Train a language model, masked or causal, on the texts of files and write the directory ``out``.

    Args:
        texts: tables with a column of text, and .txt files with one text per line.
        out: directory that ``AutoModelForMaskedLM`` and ``train --model`` load, or, of a causal one,
            ``AutoModelForCausalLM`` and ``generate``.
        settings: of the run.
        progress: listens to the run.
        resume: go on with an unfinished run that was started with the same texts and settings, if there is one, or
            leave a finished one as it is.
        overwrite: replace an encoder at ``out``, and forget an unfinished run.
        downstream: the task that the encoder is for.

    Raises:
        SettingsError: settings that contradict each other.
        DataError, CheckpointError, DestinationError: the texts, the base or the target cannot be used.
        TrainingError: an unfinished run is in the way, or differs from what is asked; a loss is not finite.
        Interrupted: a signal asked to stop; the state to resume from is on disk.
        AlreadyFinished: ``resume``, and the encoder is there, of a run with the same texts and settings.
    """
    output, before = Output(out, WHAT, REPORT), run_before(out, resume=resume, overwrite=overwrite)
    if current().leads and before is None:
        output.check(overwrite=overwrite)
    with claimed(out, f"the {WHAT}", settings, progress, resume=resume, overwrite=overwrite, before=before) as session:
        check_texts(texts, "pretrain")
        identity = _identity(texts, settings, downstream)
        if before is not None:
            _end_as_finished(session, before, identity)
        prepared = prepare(texts, out, settings, session.progress, downstream, session.ranks)
        pretrained = _fit(session, prepared, settings, downstream)
        record = run_record(identity, pretrained.title, pretrained.headline(), {})
        session.ranks.in_turn(partial(_write, session, output, prepared.network, pretrained, record))
    return pretrained


def _identity(texts: Sequence[str], settings: PretrainSettings, downstream: Downstream) -> dict[str, Any]:
    """What a run is before its texts are tokens, which takes long."""
    return {
        "texts": [sha256(Path(one)) for one in texts],
        "tokenizer": open_tokenizer(settings).fingerprint,
        **settings.model_dump(mode="json", exclude=_FREE_TO_CHANGE),
        **downstream.identity,
    }


def _end_as_finished(session: Session, before: Mapping[str, Any], identity: Mapping[str, Any]) -> NoReturn:
    check_same_run(session.out, f"a {WHAT}", before["identity"], identity)
    session.ranks.dismiss()
    discard_state(tokens_directory(session.out))
    record = json.loads((session.out / REPORT).read_text(encoding="utf-8"))
    session.end_with(Finished(session.out, before["title"], figures_of(before), record))


def _write(session: Session, output: Output, network: Network, pretrained: Pretrained, record: str) -> None:
    """By the leader."""
    if not session.ranks.leads:
        return
    try:
        output.write(lambda staging: _fill(staging, network, record), pretrained.to_json())
    except DestinationError as error:
        raise DestinationError(f"{error}; the trained weights are kept: run the same command with --resume") from error
    discard_state(tokens_directory(session.out))


def forecast(
    texts: Sequence[str], out: Path, settings: PretrainSettings, progress: Progress, *, overwrite: bool = False
) -> Forecast:
    """What ``pretrain`` would take, without doing it; the tokens of the texts are kept beside ``out`` for it.

    Raises:
        SettingsError, DataError, CheckpointError, DestinationError: as ``pretrain``.
    """
    Output(out, WHAT, REPORT).check(overwrite=overwrite)
    with claim(out, f"the {WHAT}"):
        return forecast_of(prepare(texts, out, settings, progress), settings)


def _fit(session: Session, prepared: Prepared, settings: PretrainSettings, downstream: Downstream) -> Pretrained:
    task, placement, model = prepared.task, prepared.placement, prepared.network.model
    progress, ranks = session.progress, session.ranks
    expected = forecast_of(prepared, settings, ranks)
    for line in expected.lines():
        progress.note(line)
    with placement.computing():
        loss, start = task.validate(model, placement.device, ranks)
    progress.note(f"Start: {figures_text(loss, start)}")
    listener, loop = Steps(progress, task, expected.passes), settings.of_the_loop(task.measurements)
    own = {"texts": prepared.tokens.digest, **settings.model_dump(mode="json", exclude=_FREE_TO_CHANGE)}
    history = session.train(model, task, loop, {**own, **downstream.identity}, listener)
    probe = None if task.probe is None else task.probe.accuracy(model.encoder, placement.device)
    held_out = held_out_of(task.sums(model, placement.device, ranks), causal=settings.causal)
    return Pretrained(session.out, prepared.network, expected, start, history, held_out, probe, downstream.identity)


def _fill(staging: Path, network: Network, record: str) -> None:
    """The checkpoint and its tokenizer, with the dropout that fine-tuning takes."""
    network.model.encoder.config = network.config
    save_masked(staging, network.model.cpu())
    network.tokenizer.save(staging, max_tokens=network.config.max_tokens)
    (staging / RUN).write_text(record, encoding="utf-8")
