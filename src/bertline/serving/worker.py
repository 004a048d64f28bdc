"""The worker process: ``python -m bertline.serving.worker BUNDLE`` computes batches that arrive over a socket.

The network runs outside of the server because a process can be killed: a batch that never ends, a library that crashes,
or a lack of memory then costs a batch and not the service. Each lane of the engine computes one batch at a time. One
more thread computes what stands behind everything else, when the cores have nothing better to do. The process exits
when its socket closes; it ignores signals, which the server handles.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from bertline.bundle.engine import RESERVED as TORCH
from bertline.data.batching import Batch
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BertlineError, BundleError, EngineWarning
from bertline.inference.load import load_predictor
from bertline.inference.predictor import TextClassifier
from bertline.serving.wire import PING, Frames, Order, Reply, Status

RECEIVE_BYTES = 1 << 16
LEAST_BATCH_TOKENS = 128
# In messages of onnxruntime and torch about a lack of memory; neither raises a MemoryError.
_NO_MEMORY = ("failed to allocate", "bad_alloc", "not enough memory", "out of memory")

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """The worker's first message: it can compute, or why it cannot."""

    version: str
    engine: str
    lanes: int
    batch_tokens: int
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @classmethod
    def parse(cls, text: str) -> Started:
        """From JSON."""
        content = json.loads(text)
        return cls(**{**content, "warnings": tuple(content["warnings"])})


class Computer:
    """Computes with a bundle's engine; its full network is loaded when one of its outputs is first requested.

    So is the graph that shows the network's inside.

    Args:
        bundle: its directory.
        engine: by name; None: the bundle's default.
        lanes: batches at a time; None: one per core.
        checksum: of the manifest that the server has verified; None accepts any. The full network must have the same
            one in any case.
    """

    def __init__(self, bundle: Path, engine: str | None, lanes: int | None, checksum: str | None = None) -> None:
        self._bundle, self._lanes, self._checksum = bundle, lanes, checksum
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EngineWarning)
            self._predictor = load_predictor(bundle, engine=engine, lanes=lanes, checksum=checksum)
        messages = tuple(str(one.message) for one in caught if issubclass(one.category, EngineWarning))
        one = self._predictor
        bound = batch_tokens(one.engine, one.batch_tokens, one.max_tokens)
        self.started = Started(one.version, one.engine, one.backend.lanes, bound, messages)
        self._others: dict[str, TextClassifier | BertlineError] = {}  # by an output that they give
        self._lock = threading.Lock()

    def compute(self, output: str, batch: Batch, *, alone: bool) -> Values:
        """One output for each text of the batch.

        Raises:
            BundleError: the bundle does not have this output, or its full network cannot be loaded.
        """
        network = self._network(output)
        if output not in network.backend.outputs:
            raise BundleError(f"{self._bundle.name} has no output {output}: it has {self._outputs(network)}")
        return network.compute(batch, output, alone=alone)

    def _outputs(self, network: TextClassifier) -> str:
        return ", ".join(name for name in OUTPUTS if name in network.backend.outputs)

    def _network(self, output: str) -> TextClassifier:
        """What computes an output.

        Raises:
            BundleError: it cannot be loaded; the next request gets the same error.
        """
        if not self._predictor.spec.needs_full_network(output):
            return self._predictor
        gives = "attentions" if OUTPUTS[output].inside else "states"
        with self._lock:
            if gives not in self._others:
                try:
                    self._others[gives] = self._load(gives)
                except BertlineError as error:  # clients must not see paths of this machine
                    self._others[gives] = BundleError(str(error).replace(str(self._bundle), self._bundle.name))
            found = self._others[gives]
        if isinstance(found, BertlineError):
            raise found
        return found

    def _load(self, output: str) -> TextClassifier:
        # Check hashes again: days may have passed since the engine was loaded.
        one = load_predictor(self._bundle, lanes=self._lanes, verify=True, checksum=self._checksum, output=output)
        if one.version != self.started.version:
            raise BundleError(f"{self._bundle.name} was replaced while it was served: load it anew")
        return one


def batch_tokens(engine: str, engine_tokens: int, longest_tokens: int) -> int:
    """Maximum padded tokens of a batch that combines requests.

    On a core, two long texts in a batch take as long as one after the other, but the first one waits for both. So a
    batch is no larger than the longest possible text. (``predict`` waits for its last text anyway, so its batches may
    be larger.) PyTorch may use a GPU, which computes them faster together.

    Args:
        engine: its name.
        engine_tokens: the engine's own bound, chosen for the cache.
        longest_tokens: maximum tokens that the model reads of a text.
    """
    return engine_tokens if engine == TORCH else min(engine_tokens, max(LEAST_BATCH_TOKENS, longest_tokens))


def answer(compute: Callable[..., Values], order: Order) -> Reply:
    """Compute an order; an error becomes the reply.

    The time of an order that stands behind others is that of its thread: it may wait for a core at any moment.
    """
    clock = thread_time if order.behind else perf_counter
    began_s = clock()
    try:
        values = compute(order.output, order.batch.lay_out(), alone=order.alone)
        return Reply(order.number, Status.DONE, values, seconds=clock() - began_s)
    except Exception as error:
        full = f"{type(error).__name__}: {error}".lower()
        no_memory = isinstance(error, MemoryError) or any(sign in full for sign in _NO_MEMORY)
        # A message of a library may quote its input, and so may ours if it has a cause.
        own = isinstance(error, BertlineError) and error.__cause__ is None
        text = str(error) if own else f"the network fails at it ({type(error.__cause__ or error).__name__})"
        return Reply(order.number, Status.NO_MEMORY if no_memory else Status.FAILED, text=text)


def run(
    connection: socket.socket, bundle: Path, engine: str | None, lanes: int | None, checksum: str | None = None
) -> None:
    """Load the bundle, report the result, and compute orders until the connection closes."""
    try:
        computer = Computer(bundle, engine, lanes, checksum)
    except BertlineError as error:
        failed = Started("", "", 0, 0, (), str(error))
        connection.sendall(Reply(0, Status.READY, text=json.dumps(asdict(failed))).pack())
        return
    connection.sendall(Reply(0, Status.READY, text=json.dumps(asdict(computer.started))).pack())
    orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
    sending = threading.Lock()

    def send(frame: bytes) -> None:
        with sending:
            connection.sendall(frame)

    behind: queue.SimpleQueue[Order | None] = queue.SimpleQueue()

    def lane(waiting: queue.SimpleQueue[Order | None]) -> None:
        if waiting is behind:
            give_way()
        while (order := waiting.get()) is not None:
            send(answer(computer.compute, order).pack())

    for number in range(computer.started.lanes):
        threading.Thread(target=lane, args=(orders,), name=f"lane-{number}", daemon=True).start()
    threading.Thread(target=lane, args=(behind,), name="lane-behind", daemon=True).start()
    frames = Frames()
    while data := connection.recv(RECEIVE_BYTES):
        for frame in frames.feed(data):
            if not frame:  # reply even if all lanes are busy: the server has its own time limits for batches
                send(PING)
            else:
                order = Order.unpack(frame)
                (behind if order.behind else orders).put(order)


def give_way() -> None:
    """Let this thread run only while a core has nothing else to do (sched(7), SCHED_IDLE)."""
    with suppress(OSError, AttributeError):  # another system, or a sandbox: it shares then like any other thread
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    """Compute for the server, over the socket that it passed on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the connection")
    parser.add_argument("--engine")
    parser.add_argument("--lanes", type=int)
    parser.add_argument("--checksum", help="of the manifest; any other bundle is refused")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=arguments.socket) as connection:
        try:
            run(connection, arguments.bundle, arguments.engine, arguments.lanes, arguments.checksum)
        except (BrokenPipeError, ConnectionResetError):
            return  # the server is gone


if __name__ == "__main__":
    main()
