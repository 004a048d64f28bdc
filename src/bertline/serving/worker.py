"""The process that computes: ``python -m bertline.serving.worker BUNDLE``, batches in and rows out over one socket.

The network runs here and not in the server, because a process can be killed: a batch that never ends, a library that
crashes and memory that runs out then cost a batch, and not the service. As many batches are computed at a time as the
engine has lanes. The process ends when its socket does; it leaves signals to the server that started it.
"""

from __future__ import annotations

import argparse
import json
import queue
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
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
# How onnxruntime and torch say that memory ran out; neither raises a MemoryError.
_NO_MEMORY = ("failed to allocate", "bad_alloc", "not enough memory", "out of memory")

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """What the process says once it can compute."""

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
    """A bundle's engine, and its full network from the first time that one of its outputs is wanted.

    Args:
        bundle: its directory.
        engine: by name; None is the bundle's choice.
        lanes: batches at a time; None is one per core.
        checksum: of the manifest that the server has checked, and read labels and tokens from; None trusts the first
            one that is found. The full network is of the same one in any case.
    """

    def __init__(self, bundle: Path, engine: str | None, lanes: int | None, checksum: str | None = None) -> None:
        self._bundle, self._lanes, self._checksum = bundle, lanes, checksum
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EngineWarning)
            self._predictor = load_predictor(bundle, engine=engine, lanes=lanes, checksum=checksum)
        said = tuple(str(one.message) for one in caught if issubclass(one.category, EngineWarning))
        one = self._predictor
        bound = batch_tokens(one.engine, one.batch_tokens, one.max_tokens)
        self.started = Started(one.version, one.engine, one.backend.lanes, bound, said)
        self._full: TextClassifier | BertlineError | None = None
        self._lock = threading.Lock()

    def compute(self, output: str, batch: Batch, *, alone: bool) -> Values:
        """One output for each text of the batch.

        Raises:
            BundleError: the bundle does not have this output, or its full network cannot be loaded.
        """
        network = self._full_network() if output in OUTPUTS and OUTPUTS[output].full else self._predictor
        if output not in network.backend.outputs:
            raise BundleError(f"{self._bundle.name} has no output {output}: it has {self._outputs(network)}")
        return network.compute(batch, output, alone=alone)

    def _outputs(self, network: TextClassifier) -> str:
        return ", ".join(name for name in OUTPUTS if name in network.backend.outputs)

    def _full_network(self) -> TextClassifier:
        with self._lock:
            if self._full is None:
                try:
                    # Hashes again: since they were compared for the predictor, days may have passed.
                    full = load_predictor(
                        self._bundle, lanes=self._lanes, verify=True, checksum=self._checksum, output="embedding"
                    )
                    if full.version != self.started.version:
                        raise BundleError(f"{self._bundle.name} was replaced while it was served: load it anew")
                    self._full = full
                except BertlineError as error:  # for clients, whom the disk of this machine does not concern
                    self._full = BundleError(str(error).replace(str(self._bundle), self._bundle.name))
            if isinstance(self._full, BertlineError):
                raise self._full
            return self._full


def batch_tokens(engine: str, engine_tokens: int, longest_tokens: int) -> int:
    """Bound on the padded tokens of a batch of different senders' texts.

    On a core, two long texts together take as long as one after the other, and the first waits for both: so a batch
    takes no longer than the longest text alone. (Whoever has all texts at once, ``predict``, waits for the last
    anyway.) PyTorch's lane may be a GPU, which does take less for them together.

    Args:
        engine: its name.
        engine_tokens: bound of the engine, for the cache.
        longest_tokens: most that the model reads of a text.
    """
    return engine_tokens if engine == TORCH else min(engine_tokens, max(LEAST_BATCH_TOKENS, longest_tokens))


def answer(compute: Callable[..., Values], order: Order) -> Reply:
    """Compute an order; whatever goes wrong is the reply."""
    began_s = perf_counter()
    try:
        values = compute(order.output, order.batch, alone=order.alone)
        return Reply(order.number, Status.DONE, values, seconds=perf_counter() - began_s)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        short = isinstance(error, MemoryError) or any(sign in said.lower() for sign in _NO_MEMORY)
        # A library's message may quote its input, and so may a sentence of ours that gives one as its cause.
        own = isinstance(error, BertlineError) and error.__cause__ is None
        told = str(error) if own else f"the network fails at it ({type(error.__cause__ or error).__name__})"
        return Reply(order.number, Status.NO_MEMORY if short else Status.FAILED, text=told)


def run(
    connection: socket.socket, bundle: Path, engine: str | None, lanes: int | None, checksum: str | None = None
) -> None:
    """Load the bundle, say so, and compute what comes until the connection ends."""
    try:
        computer = Computer(bundle, engine, lanes, checksum)
    except BertlineError as error:
        told = Started("", "", 0, 0, (), str(error))
        connection.sendall(Reply(0, Status.READY, text=json.dumps(asdict(told))).pack())
        return
    connection.sendall(Reply(0, Status.READY, text=json.dumps(asdict(computer.started))).pack())
    orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
    sending = threading.Lock()

    def send(frame: bytes) -> None:
        with sending:
            connection.sendall(frame)

    def lane() -> None:
        while (order := orders.get()) is not None:
            send(answer(computer.compute, order).pack())

    for number in range(computer.started.lanes):
        threading.Thread(target=lane, name=f"lane-{number}", daemon=True).start()
    frames = Frames()
    while data := connection.recv(RECEIVE_BYTES):
        for frame in frames.feed(data):
            if not frame:  # at once, however busy the lanes are: the server knows what batches cost
                send(PING)
            else:
                orders.put(Order.unpack(frame))


def main() -> None:
    """Compute for the server on the other end of the socket that it handed over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the connection")
    parser.add_argument("--engine")
    parser.add_argument("--lanes", type=int)
    parser.add_argument("--checksum", help="of the manifest; another bundle in its place is refused")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=asked.socket) as connection:
        try:
            run(connection, asked.bundle, asked.engine, asked.lanes, asked.checksum)
        except (BrokenPipeError, ConnectionResetError):
            return  # the server is gone


if __name__ == "__main__":
    main()
