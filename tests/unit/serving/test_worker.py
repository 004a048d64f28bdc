"""The process that computes: its answers over a socket, and what it says of what it cannot do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from bertline.bundle import load
from bertline.data.batching import Batch, Ragged, pad
from bertline.errors import BertlineError, BundleError, EngineWarning, UsageError
from bertline.inference.load import load_predictor
from bertline.serving import worker
from bertline.serving.wire import PING, Frames, Order, Reply, Status
from bertline.serving.worker import Computer, Started, answer, run
from bertline.testing.tiny import VOCABULARY, tiny_tokenizer, write_tiny_bundle
from bertline.text import Reader, Truncation

ROOT = Path(__file__).parents[3]
TOKENIZER = tiny_tokenizer()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("worker") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


def ragged_of(*texts: str) -> Ragged:
    return Ragged.of([one.piece for one in Reader(TOKENIZER, Truncation(32)).read(texts)], TOKENIZER.pad_id)


def batch_of(*texts: str) -> Batch:
    return ragged_of(*texts).lay_out()


class Asked:
    """The other end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._frames = connection, Frames()
        connection.settimeout(60)
        self._replies = self._received()

    def _received(self) -> Iterator[Reply]:
        while data := self._connection.recv(1 << 16):
            for frame in self._frames.feed(data):
                yield Reply.unpack(frame)

    def ping(self) -> bytes:
        self._connection.sendall(PING)
        return self._connection.recv(1 << 16)

    def next(self) -> Reply:
        return next(self._replies)

    def ask(self, *orders: Order) -> dict[int, Reply]:
        self._connection.sendall(b"".join(order.pack() for order in orders))
        return {reply.number: reply for reply in (self.next() for _ in orders)}


@pytest.fixture(scope="module")
def asked(bundle: Path) -> Iterator[Asked]:
    """A worker in a thread, that has said what it computes with."""
    ours, theirs = socket.socketpair()
    thread = Thread(target=run, args=(theirs, bundle, None, 1))
    thread.start()
    with ours, theirs:
        one = Asked(ours)
        started = Started.parse(one.next().text)
        assert started == Started(load(bundle).version, "fp32", 1, started.batch_tokens)
        assert started.batch_tokens > 0
        yield one
        ours.shutdown(socket.SHUT_WR)
        thread.join(timeout=30)
    assert not thread.is_alive()  # it ends when its socket does


def test_rows_equal_the_bundles_own_predictor_and_embedder(asked: Asked, bundle: Path) -> None:
    batch = ragged_of("a film", "is it so ? it is !")
    replies = asked.ask(Order(1, "logits", batch), Order(2, "embedding", batch), Order(3, "states", batch))
    assert {reply.status for reply in replies.values()} == {Status.DONE}
    full = load_predictor(bundle, lanes=1, output="embedding")
    expected = [load_predictor(bundle, lanes=1), full, full]
    for number, (network, output) in enumerate(zip(expected, ("logits", "embedding", "states"), strict=True), 1):
        array = network.compute(batch.lay_out(), output)
        found = replies[number].values
        assert found is not None
        assert found.shape == array.shape
        np.testing.assert_allclose(found, array, atol=1e-6, rtol=0)
        assert replies[number].seconds > 0


@pytest.mark.parametrize(
    ("engine", "bound", "longest", "expected"),
    [("fp32", 512, 256, 256), ("fp32", 512, 32, 128), ("int8", 64, 256, 64), ("torch", 2048, 256, 2048)],
)
def test_a_batch_takes_no_longer_than_the_longest_text_alone(
    engine: str, bound: int, longest: int, expected: int
) -> None:
    assert worker.batch_tokens(engine, bound, longest) == expected


def test_a_ping_comes_back(asked: Asked) -> None:
    assert asked.ping() == PING


def test_an_output_that_the_bundle_does_not_have_is_refused_by_name(bundle: Path) -> None:
    computer = Computer(bundle, "fp32", 1)
    for output in ("tags", "colours"):
        with pytest.raises(BundleError, match=f"^tiny has no output {output}: it has logits$"):
            computer.compute(output, batch_of("a"), alone=True)
    tokens = batch_of("a").ids.shape[1]
    assert computer.compute("attentions", batch_of("a"), alone=True).shape[-2:] == (tokens, tokens)


def test_the_server_gets_the_bounds_of_a_batch(bundle: Path) -> None:
    assert Computer(bundle, "fp32", 1).started.batch_tokens == worker.LEAST_BATCH_TOKENS


def test_a_failed_batch_is_reported_and_the_next_one_runs(asked: Asked, bundle: Path) -> None:
    beyond = Ragged.of_ids([[2, len(VOCABULARY) + 3, 3]], 0)
    replies = asked.ask(Order(7, "logits", beyond), Order(8, "logits", ragged_of("a film")))
    assert (replies[7].status, replies[8].status) == (Status.FAILED, Status.DONE)
    assert replies[7].text.startswith("the network fails at it (")
    assert str(bundle.parent) not in replies[7].text


def test_an_unloadable_bundle_is_reported_and_ends_the_server(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        run(theirs, tmp_path / "nowhere", None, None)
        started = Started.parse(Asked(ours).next().text)
    assert started.error is not None
    assert "nowhere" in started.error


def test_a_missing_engine_is_named(bundle: Path) -> None:
    with pytest.raises(UsageError, match="int4"):
        Computer(bundle, "int4", None)


def test_the_workers_first_message_round_trips_through_json() -> None:
    started = Started("1f2e", "int8", 2, 512, ("one is left out", "so is another"), None)
    text = json.dumps({**{name: getattr(started, name) for name in Started.__slots__}})
    assert Started.parse(text) == started


def raising(error: Exception, cause: Exception | None = None) -> Callable[..., Any]:
    def compute(output: str, batch: Batch, *, alone: bool) -> np.ndarray[Any, Any]:
        raise error from cause

    return compute


@pytest.mark.parametrize(
    ("error", "cause", "status", "told"),
    [
        (BundleError("the weights give nothing"), None, Status.FAILED, "the weights give nothing"),
        (BundleError("secret film"), ValueError("secret"), Status.FAILED, "the network fails at it (ValueError)"),
        (ValueError("secret film"), None, Status.FAILED, "the network fails at it (ValueError)"),
        (MemoryError(), None, Status.NO_MEMORY, "the network fails at it (MemoryError)"),
        (RuntimeError("std::bad_alloc"), None, Status.NO_MEMORY, "the network fails at it (RuntimeError)"),
        (
            BundleError("model.onnx: onnxruntime cannot compute it (Failed to allocate memory for 99 bytes)"),
            *(RuntimeError("x"), Status.NO_MEMORY, "the network fails at it (RuntimeError)"),
        ),
        (RuntimeError("CUDA out of memory"), None, Status.NO_MEMORY, "the network fails at it (RuntimeError)"),
    ],
)
def test_an_error_is_replied_without_the_librarys_message(
    error: Exception, cause: Exception | None, status: Status, told: str
) -> None:
    reply = answer(raising(error, cause), Order(5, "logits", ragged_of("secret film")))
    assert (reply.number, reply.status, reply.text, reply.values) == (5, status, told, None)


def test_embeddings_that_cannot_be_had_are_refused_each_time_without_a_path_and_loaded_once(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []

    def refuse(directory: Path, **_: object) -> None:
        loads.append(directory)
        raise BundleError(f"{directory} has no embedding.onnx")

    computer = Computer(bundle, None, 1)
    monkeypatch.setattr(worker, "load_predictor", refuse)
    for output in ("embedding", "states"):
        with pytest.raises(BertlineError, match=r"^tiny has no embedding\.onnx$"):
            computer.compute(output, batch_of("a"), alone=True)
    assert loads == [bundle]
    assert computer.compute("logits", batch_of("a"), alone=True).shape == (1, 3)


def test_the_plan_names_the_engines_left_out(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_with_a_warning(*rest: Any, **more: Any) -> Any:
        warnings.warn(EngineWarning("int8 cannot be used here; fp32 answers instead"), stacklevel=2)
        return load_predictor(*rest, **more)

    monkeypatch.setattr(worker, "load_predictor", load_with_a_warning)
    started = Computer(bundle, None, 1).started
    assert (started.engine, started.warnings) == ("fp32", ("int8 cannot be used here; fp32 answers instead",))


def test_the_process_ends_when_nobody_is_on_the_other_side(bundle: Path) -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "bertline.serving.worker", str(bundle), "--socket", str(theirs.fileno())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        command, pass_fds=[theirs.fileno()], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        theirs.close()
        with ours:
            one = Asked(ours)
            assert Started.parse(one.next().text).error is None
            process.terminate()  # signals are the server's business
            process.send_signal(2)
            assert one.ask(Order(1, "logits", ragged_of("a film")))[1].status is Status.DONE
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


def test_embeddings_of_another_version_than_the_one_that_classifies_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    write_tiny_bundle(target, engine=True)
    computer = Computer(target, None, 1)
    write_tiny_bundle(target, engine=True, seed=1, overwrite=True)
    with pytest.raises(BundleError, match=r"^tiny was replaced while it was served: load it anew$"):
        computer.compute("embedding", pad([[2, 7, 3]], pad_id=0), alone=True)
