"""One version of a model: the facts of its bundle, its worker, and its waiting texts."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from functools import cached_property
from pathlib import Path
from time import monotonic

from bertline.bundle import load
from bertline.bundle.figures import Figure, figures
from bertline.bundle.probes import ATTENTIONS
from bertline.bundle.signing import PublicKey
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BertlineError, BundleError
from bertline.serving.costs import Costs
from bertline.serving.history import History
from bertline.serving.problems import Problem
from bertline.serving.process import StartWorker, Worker, WorkerProcess
from bertline.serving.reader import BackgroundReader
from bertline.serving.scheduler import Line, Scheduler, Station
from bertline.serving.worker import Started
from bertline.text import Policy, Tokenizer, Truncation

MOST_RESTARTS = 5  # within RESTART_WINDOW_S; after more, the version is given up
RESTART_WINDOW_S = 60.0
WARM_UP_TEXTS = (
    "The first answer is slower than all others, so nobody should wait for it.",
    "The first answers are slower than all others. " * 12,
)

log = logging.getLogger(__name__)


class Version:
    """A bundle that is served.

    Args:
        name: of the model, for clients.
        bundle: its directory.
        scheduler: sends batches to its worker.
        executor: tokenises long texts.
        engine: by name; None: the bundle's default.
        lanes: batches that its worker computes at a time; None: one per core.
        timeout_s: time limit for a batch.
        on_beyond_help: called if its worker cannot be kept alive.
        start_worker: creates the worker.
        trusted: keys, one of which must have signed the bundle; None: signatures are not required.

    Raises:
        BundleError: the bundle is missing, damaged, or lacks a required signature.
    """

    def __init__(
        self,
        name: str,
        bundle: Path,
        *,
        scheduler: Scheduler,
        executor: Executor,
        engine: str | None,
        lanes: int | None,
        timeout_s: float,
        on_beyond_help: Callable[[BertlineError], None],
        start_worker: StartWorker = WorkerProcess,
        trusted: Sequence[PublicKey] | None = None,
    ) -> None:
        self.name = name
        self.path = bundle.resolve()  # a link such as "current" may change, this version may not
        one = load(self.path, trusted=trusted)
        manifest = one.manifest
        self.checksum = manifest.checksum
        self.version, self.max_tokens = one.version, manifest.max_tokens
        self.truncation: Policy = manifest.truncation
        self.metrics = manifest.metrics
        self.created_s, self.pooling = int(datetime.fromisoformat(manifest.created).timestamp()), manifest.pooling
        self.tokenizer = Tokenizer.from_bundle(self.path)
        self.spec = manifest.task.with_tokenizer(self.tokenizer)
        self.reads_pairs = self.spec.pairs
        self.reader = BackgroundReader(self.tokenizer, executor, offsets=self.spec.offsets)
        inside = [name for name, output in OUTPUTS.items() if output.inside and ATTENTIONS in manifest.files]
        self.outputs = tuple(dict.fromkeys((self.spec.output, "embedding", "states", *inside)))
        self.station = Station()
        self.restarts = 0
        self.history = History()
        self.users = 0  # requests that have chosen it and have not ended
        self.started: Started | None = None
        self._scheduler, self._on_beyond_help = scheduler, on_beyond_help
        self._engine, self._lanes, self._timeout_s = engine, lanes, timeout_s
        self._start_worker = start_worker
        self._costs = Costs()
        self._worker: Worker | None = None
        self._lines: dict[str, Line] = {}
        self._recent: list[float] = []
        self._recovering: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()  # of workers that were lost
        self._stopped = False

    @property
    def ready(self) -> bool:
        """Whether its worker is running, warmed up, and has answered within the last seconds."""
        return self.station.worker is not None and (self._worker is None or self._worker.responsive)

    @cached_property
    def tokeniser_digest(self) -> str:
        """Versions with the same one tokenise alike."""
        file = self.path / "tokenizer.json"
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else self.checksum

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the head's outputs."""
        return self.spec.labels

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self.started.engine if self.started else ""

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        return self._worker.pid if self._worker is not None and self.station.worker is not None else None

    @property
    def figures(self) -> Mapping[str, Figure]:
        """The figures measured after training."""
        return figures(self.metrics)

    @property
    def lines(self) -> Collection[Line]:
        """The lines of waiting texts, one per output."""
        return self._lines.values()

    def line(self, output: str) -> Line:
        """The line of waiting texts for one output."""
        return self._lines[output]

    async def start(self) -> None:
        """Start the worker, which checks the bundle's hashes and probes, and warm it up.

        Raises:
            BundleError: the worker cannot start, or the bundle was replaced by another version.
        """
        worker = await self._new_worker()
        assert self.started is not None
        for output in self.outputs:
            line = Line(
                (self.name, self.version), output, self.station, self.started.batch_tokens, self.tokenizer.pad_id
            )
            self._lines[output] = line
            self._scheduler.add(line)
        try:
            await self._go(worker)
        except BaseException:
            await self._end()
            raise

    async def stop(self) -> None:
        """Answer the requests that use it, then stop the worker."""
        station = self.station
        while (
            self.users or station.in_flight or station.suspects or any(line.has_work for line in self._lines.values())
        ):
            await asyncio.sleep(0.01)
        await self._end()

    async def _end(self) -> None:
        self._stopped = True
        ending = set(self._ending)
        if self._recovering is not None:
            self._recovering.cancel()
            ending.add(self._recovering)
        for line in self._lines.values():
            self._scheduler.remove(line)
        self._lines = {}
        worker, self._worker, self.station.worker = self._worker, None, None
        if worker is not None:
            await worker.stop()
        if ending:  # a process that is not waited for outlives the server
            await asyncio.wait(ending)

    async def _new_worker(self) -> Worker:
        worker = self._start_worker(
            self.path,
            engine=self._engine,
            lanes=self._lanes,
            timeout_s=self._timeout_s,
            on_lost=self._lost,
            checksum=self.checksum,
            costs=self._costs,
        )
        try:
            self.started = await worker.start()
        except BaseException:  # a cancelled load too must leave no process behind
            await worker.stop()
            raise
        if self.started.version != self.version:
            await worker.stop()
            raise BundleError(f"{self.path} was replaced by another version while it was served: load that one")
        for sentence in self.started.warnings:
            log.warning("%s", sentence)
        return worker

    async def _go(self, worker: Worker) -> None:
        """Warm up the worker, then let it compute the waiting texts."""
        self._worker = worker
        self.station.worker = worker
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        line = self._lines[self.spec.output]
        for text in WARM_UP_TEXTS:
            warm_up = f"{self.spec.required} {text}".strip()
            (reading,) = await self.reader.read([warm_up], Truncation(self.max_tokens, self.truncation))
            try:
                await self._scheduler.compute(line, reading.pieces, deadline_s)
            except Problem as problem:
                raise BundleError(f"{self.name} cannot answer: {problem.message}") from None
        self._scheduler.pump()

    def _lost(self, why: str) -> None:
        log.error("the process that computes %s %s was lost: %s; it is replaced", self.name, self.version, why)
        worker, self._worker, self.station.worker = self._worker, None, None
        if worker is not None:
            task = asyncio.create_task(worker.stop(), name="end")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        if not self._stopped:
            self._recovering = asyncio.create_task(self._recover(), name="recover")

    async def _recover(self) -> None:
        now_s = monotonic()
        self._recent = [one for one in self._recent if now_s - one < RESTART_WINDOW_S] + [now_s]
        if len(self._recent) > MOST_RESTARTS:
            message = (
                f"the process that computes {self.name} was lost {len(self._recent)} times in "
                f"{RESTART_WINDOW_S:.0f} s: look at the log for what ends it"
            )
            self._give_up(BundleError(message))
            return
        try:
            worker = await self._new_worker()
        except BertlineError as error:
            self._give_up(error)
            return
        if self._stopped:  # wait_for of Python 3.11 drops a cancellation that comes just as the worker is ready
            await worker.stop()
            return
        self.restarts += 1
        self._worker = self.station.worker = worker
        log.warning("%s %s computes again", self.name, self.version)
        self._scheduler.pump()

    def _give_up(self, error: BertlineError) -> None:
        self._scheduler.close(self.station)
        self._on_beyond_help(error)
