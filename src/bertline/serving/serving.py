"""The core that every dialect calls: texts in, rows out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Self

from bertline.bundle.signing import read_public_key
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BertlineError
from bertline.machine.cores import usable_cores
from bertline.serving.answered import Answered, Timing, made
from bertline.serving.behind import Behind
from bertline.serving.listeners import Listeners, Tokenised
from bertline.serving.mirror import Mirror
from bertline.serving.model_names import engine_of
from bertline.serving.models import Models
from bertline.serving.problems import Code, Problem
from bertline.serving.process import StartWorker, WorkerProcess
from bertline.serving.route import ROUTE, ChallengerFailed
from bertline.serving.scheduler import Scheduler, TextProblem
from bertline.serving.settings import CoreSettings
from bertline.serving.texts import SIDES, Sides, check_texts, place_of, refuse_blank
from bertline.serving.trial import FAULTS, PATIENCE, Trial
from bertline.serving.version import Version
from bertline.tasks.contract import TaskSpec
from bertline.text import Input, Policy, Reading, Truncation
from bertline.text.reading import Piece, texts_of
from bertline.text.truncation import SHORTEST_TOKENS

log = logging.getLogger(__name__)


Blank = Literal["refuse", "answer"]
MOST_SCORES = 2**23  # of a vocabulary, for all [MASK] of a request: 274 of BERT's 30,522, 32 MB


@dataclass(frozen=True, slots=True)
class _How:
    """How a request's texts are read, and its names of them."""

    policy: Policy
    max_tokens: int | None
    field: str
    blank: Blank
    names: Sequence[str] | None
    sides: Sides
    spec: TaskSpec

    def name_of(self, number: int, place: int) -> str:
        """The request's name of one of its inputs."""
        return self.names[place] if self.names is not None else place_of(self.field, place, number)


async def _everything(tokens: int) -> None:
    """Admit every request."""


def _other_task(version: Version, output: str) -> str:
    """The message to a request for an output that the model does not have."""
    return f"{version.name} has no output {output}: it has {', '.join(version.outputs)}."


class Serving:
    """The models and their scheduler. An async context: entering it starts the models.

    Args:
        bundles: directory of each model, the default one first.
        settings: limits and timeouts.
        admit: awaited with the number of tokens of each request before it is computed; may raise a ``Problem``.
        other_task: the message to a request for an output that a model does not have.
        start_worker: creates worker processes; tests replace it.

    Raises:
        UsageError: a key of ``settings.require_signed_by`` cannot be used.
    """

    def __init__(
        self,
        bundles: Mapping[str, Path],
        settings: CoreSettings,
        *,
        admit: Callable[[int], Awaitable[None]] = _everything,
        other_task: Callable[[Version, str], str] = _other_task,
        start_worker: StartWorker = WorkerProcess,
    ) -> None:
        self.settings = settings
        self.listeners, self.admit, self.other_task = Listeners(), admit, other_task
        self.models = Models(bundles, self._version, self.listeners)
        lanes = settings.lanes or usable_cores()
        self.scheduler = Scheduler(lanes, settings.max_wait_ms / 1000, self.listeners.computed)
        self.behind = Behind(self.scheduler)
        self.mirror = Mirror(self.scheduler, self.listeners)
        self.draining = False
        self.failure: BertlineError | None = None
        self.failed = asyncio.Event()
        self._start_worker = start_worker
        # Read once, so that later changes of the files do not change whom the server trusts.
        self._trusted = [read_public_key(path) for path in settings.require_signed_by] or None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="tokenise")
        self._starting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._starting = asyncio.create_task(self.models.start(), name="start")
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError, Exception):  # ``until_ready`` has raised its error
                await self._starting
        await self.mirror.stop()
        await self.models.stop()
        self._executor.shutdown(cancel_futures=True)

    @property
    def ready(self) -> bool:
        """Whether every model is ready and the server accepts requests."""
        started = self._starting is not None and self._starting.done() and not self._starting.cancelled()
        return started and self.models.ready and not self.draining and self.failure is None

    async def until_ready(self) -> None:
        """Wait until every model is warmed up; raises the error of the first one that fails."""
        assert self._starting is not None, "the app has not started"
        await asyncio.shield(self._starting)

    def deadline_s(self, header: str | None) -> float:
        """The deadline of a request, on the event loop's clock.

        Args:
            header: the value of X-Request-Timeout-Ms, if the request has it.

        Raises:
            Problem: it is not a positive number.
        """
        timeout_ms = self.settings.request_timeout_ms
        if header is not None:
            try:
                timeout_ms = float(header)
            except ValueError:
                timeout_ms = 0.0
            if not 0 < timeout_ms < float("inf"):
                raise Problem(
                    Code.INVALID_HEADER,
                    "X-Request-Timeout-Ms must be a positive number of milliseconds.",
                    "X-Request-Timeout-Ms",
                )
        return asyncio.get_running_loop().time() + timeout_ms / 1000

    async def compute(
        self,
        version: Version,
        inputs: Sequence[Input],
        output: str,
        *,
        deadline_s: float,
        policy: Policy | None = None,
        max_tokens: int | None = None,
        field: str = "texts",
        names: Sequence[str] | None = None,
        sides: Sides = SIDES,
        blank: Blank = "refuse",
        spec: TaskSpec | None = None,
    ) -> Answered:
        """Compute one output of a model for each text or pair.

        Args:
            version: from ``models.named``.
            inputs: not yet checked.
            output: by its name in ``encoder.outputs``.
            deadline_s: from ``deadline_s``.
            policy: truncation of long texts; None: the bundle's.
            max_tokens: to read of each text; None: the model's limit.
            field: the dialect's name of the inputs, for messages.
            names: the dialect's names of each of them, if they come from several fields.
            sides: names of the two texts of a pair; ``{}`` is the name of the pair.
            blank: refuse texts without tokens or without the [MASK] that the model needs, or answer them from what
                there is.
            spec: to answer with; None: the model's own.

        Raises:
            Problem: a text cannot be used, the model lacks the output, the server is overloaded, or the model cannot
                compute it in time.
            ChallengerFailed: it could not, and the champion of its rollout can: begin the request again.
        """
        if output not in version.outputs:
            raise Problem(Code.OTHER_TASK, self.other_task(version, output))
        if output == "states" != version.spec.output and policy == "window":
            raise Problem(
                Code.UNSUPPORTED, "States of tokens cannot be pooled over windows: choose another truncation."
            )
        how = _How(policy or version.truncation, max_tokens, field, blank, names, sides, spec or version.spec)
        trial = self.models.trials.get(version.name)
        began_s = perf_counter()
        try:
            until_s = _sooner(trial, version, deadline_s)
            answered = await self._answer(output, version, inputs, until_s, how)
        except Exception as error:
            self._failed(trial, version, error, early=until_s < deadline_s)
            raise
        seconds = perf_counter() - began_s
        version.history.answered(seconds)
        if trial is not None:
            trial.answered(version, seconds)
            self.mirror.offer(trial, output, answered, policy, max_tokens)
        self.listeners.answered(output, answered)
        if output == version.spec.output and OUTPUTS[output].by_token:
            await made(answered, lambda: answered.answers)
            self.listeners.predicted(answered)
        return answered

    def _failed(self, trial: Trial | None, version: Version, error: Exception, *, early: bool) -> None:
        """Count a version's own fault, and give the request to the champion if the challenger failed.

        Raises:
            ChallengerFailed: the champion can answer instead.
        """
        if isinstance(error, Problem) and error.code not in FAULTS:
            return
        version.history.failed()
        if trial is None:
            return
        if early and isinstance(error, Problem) and error.code is Code.DEADLINE:
            trial.late(version)
        else:
            trial.failed(version)
        route, champion = ROUTE.get(), trial.stand_in(version)
        if route is not None and champion is not None:
            route.pin(version.name, champion)
            raise ChallengerFailed from None

    async def _answer(
        self, output: str, version: Version, inputs: Sequence[Input], deadline_s: float, how: _How
    ) -> Answered:
        name_of = partial(how.name_of, len(inputs))
        check_texts(inputs, self.settings, how.field, name_of, how.sides)
        _refuse_pairs(inputs, version, name_of)
        self.listeners.asked([text for one in inputs for text in texts_of(one)])
        began_s = perf_counter()
        readings = await self._read(version, inputs, how)
        tokenise_s = perf_counter() - began_s
        pieces = [piece for reading in readings for piece in reading.pieces]
        tokens = sum(len(piece.ids) for piece in pieces)
        if tokens > self.settings.max_request_tokens:
            raise Problem(
                Code.TOO_MANY_TOKENS,
                f"{how.field} would take {tokens:,} tokens and the limit of a request is "
                f"{self.settings.max_request_tokens:,}: send them in several requests.",
                how.field,
            )
        if output == how.spec.output and how.blank == "refuse":
            _refuse_unanswerable(readings, how)
        _refuse_masks(output, pieces, version, how.field)
        await self.admit(tokens)
        self.listeners.tokenised(Tokenised(began_s, tokenise_s, tokens))
        try:
            computed = await self.scheduler.compute(version.line(output), pieces, deadline_s)
        except TextProblem as problem:
            name = name_of(_text_of(problem.place, readings))
            raise problem.named(name) from None
        each = iter(computed.rows)
        arrays = [[next(each) for _ in reading.pieces] for reading in readings]
        return Answered(version, arrays, readings, Timing(tokenise_s, computed.queue_s, computed.compute_s), how.spec)

    async def look(
        self, version: Version, inputs: Sequence[Input], deadline_s: float, output: str, field: str = "text"
    ) -> tuple[Sequence[Reading], list[list[Any]]]:
        """An output of the network for inputs that no client asked about, such as those of an explanation.

        They go behind the requests of all clients, and are no events: nothing is logged, kept or mirrored. Their tokens
        count for the client whose request they serve.

        Raises:
            Problem: too many [MASK] in ``field``, the deadline passed, or the model cannot compute them.
        """
        readings = await version.reader.read(inputs, Truncation(version.max_tokens, version.truncation))
        pieces = [piece for reading in readings for piece in reading.pieces]
        _refuse_masks(output, pieces, version, field)
        await self.admit(sum(len(piece.ids) for piece in pieces))
        each = iter(await self.behind.compute(version.line(output), pieces, deadline_s))
        return readings, [[next(each) for _ in reading.pieces] for reading in readings]

    async def timed_s(self, version: Version, one: Input, deadline_s: float) -> float:
        """The time of an answer to one input, behind the requests of all clients: tokenising and computing.

        Raises:
            Problem: as ``look``.
        """
        began_s = perf_counter()
        [reading] = await version.reader.read([one], Truncation(version.max_tokens, version.truncation))
        tokenise_s = perf_counter() - began_s
        await self.admit(sum(len(piece.ids) for piece in reading.pieces))
        line = version.line(version.spec.output)
        return tokenise_s + await self.behind.timed_s(line, reading.pieces, deadline_s)

    async def _read(self, version: Version, inputs: Sequence[Input], how: _How) -> Sequence[Reading]:
        most = version.max_tokens if how.max_tokens is None else min(how.max_tokens, version.max_tokens)
        if most < SHORTEST_TOKENS:
            message = (
                f"The fewest tokens that can be read are {SHORTEST_TOKENS}, including [CLS] and [SEP]: ask for more."
            )
            raise Problem(Code.OUT_OF_RANGE, message)
        readings = await version.reader.read(inputs, Truncation(most, how.policy))
        if how.blank == "refuse":
            refuse_blank(inputs, readings, partial(how.name_of, len(inputs)), how.sides)
        if how.policy == "error":
            _refuse_cut(readings, version.name, most, how)
        return readings

    async def _version(self, name: str, bundle: Path) -> Version:
        loop = asyncio.get_running_loop()

        def make() -> Version:
            return Version(
                name,
                bundle,
                scheduler=self.scheduler,
                executor=self._executor,
                engine=engine_of(name, self.settings.engine),
                lanes=self.settings.lanes,
                timeout_s=self.settings.worker_timeout_s,
                on_beyond_help=lambda error: self._lost(version, error),
                start_worker=self._start_worker,
                trusted=self._trusted,
            )

        version = await loop.run_in_executor(None, make)  # hashes and reads files
        await version.start()
        return version

    def _lost(self, version: Version, error: BertlineError) -> None:
        """A model cannot be kept alive: log the error and stop the server, so that its supervisor restarts it."""
        log.error("%s", error)
        if self.models.lost(version):  # not a previous version, or one that is being loaded
            self.failure = self.failure or error
            self.failed.set()


def _sooner(trial: Trial | None, version: Version, deadline_s: float) -> float:
    """The deadline of a challenger, which leaves the champion time to answer in its place."""
    if trial is None or trial.stand_in(version) is None:
        return deadline_s
    now_s = asyncio.get_running_loop().time()
    return now_s + PATIENCE * (deadline_s - now_s)


def _text_of(piece: int, readings: Sequence[Reading]) -> int:
    """The index of the text that contains a piece."""
    ends = accumulate(len(reading.pieces) for reading in readings)
    return next(place for place, end in enumerate(ends) if piece < end)


def _refuse_pairs(inputs: Sequence[Input], version: Version, name_of: Callable[[int], str]) -> None:
    for place, one in enumerate(inputs):
        if not isinstance(one, str) and not version.reads_pairs:
            name = name_of(place)
            message = f"{name} is a pair of texts and {version.name} reads single ones: send each text by itself."
            raise Problem(Code.UNSUPPORTED, message, name)


def _refuse_unanswerable(readings: Sequence[Reading], how: _How) -> None:
    """Refuse the first text to which the task has no answer, as to one without [MASK]."""
    for place, reading in enumerate(readings):
        if (fault := how.spec.fault(reading)) is not None:
            name = how.name_of(len(readings), place)
            raise Problem(Code.INVALID_TEXT, f"{name} {fault}.", name)


def _refuse_masks(output: str, pieces: Sequence[Piece], version: Version, field: str) -> None:
    """Refuse more [MASK] than there is memory for: each has a score for every entry of the vocabulary."""
    masks = sum(len(piece.masked) for piece in pieces) if OUTPUTS[output].masked else 0
    most = MOST_SCORES // version.tokenizer.vocab_size
    if masks > most:
        raise Problem(
            Code.TOO_MANY_TOKENS,
            f"{field} would have {masks:,} {version.tokenizer.mask} to fill in and the limit of a request is "
            f"{most:,}: send them in several requests.",
            field,
        )


def _refuse_cut(readings: Sequence[Reading], model: str, max_tokens: int, how: _How) -> None:
    for place, reading in enumerate(readings):
        if reading.cut:
            name = how.name_of(len(readings), place)
            raise Problem(
                Code.TOO_MANY_TOKENS,
                f"{name} has {reading.read + reading.cut:,} tokens and {model} reads {max_tokens:,}: "
                "send a part of it, or ask for another truncation.",
                name,
            )
