"""A scheduler with processes that only say what they would have computed, for tests on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from bertline.data.batching import Ragged
from bertline.serving.process import ComputeFailed, NoMemory, WorkerLost
from bertline.serving.scheduler import BatchRecord, Computed, Line, Scheduler, Station
from bertline.serving.wire import Reply, Status
from bertline.text import Piece

POISON, KILLER, RIDDLE = 901, 902, 903  # ids that cannot be computed, that end the process, that find a mistake of ours
PACE = 1000.0  # padded tokens/s of a lane
RESTART_S = 0.5


class Process:
    """Computes a batch in the time that its padded tokens take; a row is the sum of its text's ids, and its length.

    Attributes:
        batches: the texts of each batch that came to it.
        company: how many batches were computed when each came, itself not counted.
        memory_tokens: padded tokens of the largest batch that it can compute.
        restarts: how often it was started again.
    """

    def __init__(self, scheduler: Scheduler, station: Station) -> None:
        self.batches: list[list[list[int]]] = []
        self.alone: list[bool] = []
        self.company: list[int] = []
        self.memory_tokens = 10**9
        self.restarts = 0
        self._scheduler, self._station, self._alive = scheduler, station, True
        station.worker = self

    async def compute(self, output: str, batch: Ragged, *, alone: bool) -> Reply:
        laid = batch.lay_out()
        life = self.restarts
        self.batches.append([row[real].tolist() for row, real in zip(laid.ids, laid.attend, strict=True)])
        self.alone.append(alone)
        self.company.append(self._station.in_flight - 1)
        seconds = laid.ids.size / PACE
        await asyncio.sleep(seconds)
        if life != self.restarts or not self._alive:
            raise WorkerLost
        if (laid.ids == KILLER).any():
            self.end()
            raise WorkerLost
        if (laid.ids == POISON).any():
            raise ComputeFailed("the network fails at it")
        if (laid.ids == RIDDLE).any():
            raise KeyError("riddle")
        if laid.ids.size > self.memory_tokens:
            raise NoMemory("failed to allocate memory")
        if output == "states":
            return Reply(0, Status.DONE, np.repeat(laid.ids[:, :, None], 2, axis=2).astype(np.float32), seconds=seconds)
        values = np.stack([(laid.ids * laid.attend).sum(1), laid.attend.sum(1)], axis=1)
        return Reply(0, Status.DONE, values.astype(np.float32), seconds=seconds)

    def end(self, *, for_ever: bool = False) -> None:
        """As when it is killed: there is another one soon, or none."""
        if self._alive:
            self._alive, self._station.worker = False, None
            if not for_ever:
                asyncio.get_running_loop().call_later(RESTART_S, self._again)

    def _again(self) -> None:
        self.restarts += 1
        self._alive, self._station.worker = True, self
        self._scheduler.pump()


class Machine:
    """Models behind one scheduler.

    Attributes:
        records: of the batches that were computed.
    """

    def __init__(self, models: int = 1, *, lanes: int = 1, max_wait_s: float = 100.0, batch_tokens: int = 64) -> None:
        self.records: list[BatchRecord] = []
        self.scheduler = Scheduler(lanes, max_wait_s, self.records.append)
        self.lines: list[Line] = []
        self.processes: list[Process] = []
        for number in range(models):
            station = Station()
            line = Line((f"model{number}", "1"), "logits", station, batch_tokens, 0)
            line.tokens_per_s = PACE
            self.scheduler.add(line)
            self.lines.append(line)
            self.processes.append(Process(self.scheduler, station))

    @property
    def line(self) -> Line:
        return self.lines[0]

    @property
    def process(self) -> Process:
        return self.processes[0]

    def ask(
        self, *texts: Sequence[int], timeout_s: float = 1000.0, model: int = 0, line: Line | None = None
    ) -> asyncio.Task[Computed]:
        """A request that is on its way."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        return asyncio.create_task(
            self.scheduler.compute(line or self.lines[model], [Piece([*text]) for text in texts], deadline_s)
        )


def right(computed: Computed, *texts: Sequence[int]) -> bool:
    """Whether these are the rows of these texts."""
    return [row.tolist() for row in computed.rows] == [[float(sum(text)), float(len(text))] for text in texts]
