"""Addresses, tokens and errors of clusters. What needs a real one is in ``tests/distributed``."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bertline.data.rows import TableFault
from bertline.errors import BertlineError, ClusterError, DataError, UsageError
from bertline.machine import ray_cluster
from bertline.machine.ray_cluster import connect


@pytest.fixture
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_USE_TLS"):
        monkeypatch.setenv(name, "")  # so that it is put back whatever the test does
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("address", ["cluster", "ray://head:10001", "head:", ":6379", "head:ray", "http://head:6379"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"is not the address of a Ray cluster: give local, auto or HOST:PORT"):
        connect(address).__enter__()


@pytest.mark.usefixtures("_clean")
def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught:
        connect("head:6379").__enter__()
    assert str(caught.value) == "--ray needs ray, which is not installed: pip install 'bertline[ray]'"


@pytest.mark.usefixtures("_clean")
def test_a_local_cluster_gets_a_token_of_its_own_that_is_nowhere_on_disk(tmp_path: Path) -> None:
    ray_cluster._authenticate(local=True)
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert not [*tmp_path.rglob("*")]


@pytest.mark.usefixtures("_clean")
@pytest.mark.parametrize("place", ["variable", "file", None])
def test_elsewhere_the_token_that_is_there_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str | None
) -> None:
    if place == "variable":
        monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 32)
    if place == "file":
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("a" * 32, encoding="ascii")
    ray_cluster._authenticate(local=False)
    assert os.environ.get("RAY_AUTH_MODE") == ("token" if place else None)


@pytest.mark.usefixtures("_clean")
def test_a_mode_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray_cluster._authenticate(local=True)
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN" not in os.environ


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


@pytest.mark.usefixtures("_clean")
def test_a_port_on_which_nothing_listens_is_named_at_once(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(
        ClusterError, match=rf"^no Ray cluster answers at 127.0.0.1:{port} \(Connection refused\): start"
    ):
        ray_cluster._check_port(f"127.0.0.1:{port}")


@pytest.mark.usefixtures("_clean")
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_something_else_on_the_port_is_no_cluster(listener: socket.socket, answer: bytes) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(100)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ClusterError, match="something else listens there"):
        ray_cluster._check_port(f"127.0.0.1:{listener.getsockname()[1]}")
    thread.join()


def test_an_error_that_cannot_be_pickled_keeps_its_kind_and_sentence() -> None:
    error = TableFault("new.csv", "is empty", "it needs rows")
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(error))
    portable = ray_cluster._portable(error)
    assert type(portable) is DataError
    assert str(portable) == "new.csv is empty: it needs rows"


class _Counting:
    made = 0

    def __init__(self, start: int) -> None:
        if start < 0:
            raise DataError("the start is negative: give another")
        type(self).made += 1
        self.start = start

    def plus(self, number: int) -> int:
        return self.start + number


def test_a_worker_makes_its_object_once_and_on_the_first_call() -> None:
    held = ray_cluster._Held(ray_cluster.bertline.__version__, _Counting, (40,))
    assert _Counting.made == 0
    assert [held.call("plus", (one,)) for one in (1, 2)] == [41, 42]
    assert _Counting.made == 1
    with pytest.raises(DataError, match="negative"):
        ray_cluster._Held(ray_cluster.bertline.__version__, _Counting, (-1,)).call("plus", (1,))


def test_another_version_on_a_machine_of_the_cluster_is_named() -> None:
    with pytest.raises(ClusterError, match=r"of the cluster has bertline .*, and 9\.9 is used here: install the same"):
        ray_cluster._Held("9.9", _Counting, (1,)).call("plus", (1,))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            RuntimeError("Version mismatch: Ray 2.9\nmore"),
            r"another version of Ray or Python \(Version mismatch: Ray 2.9",
        ),
        (
            ConnectionError("Failed to connect to Ray cluster at head:6379"),
            "does not let this process in: put its token",
        ),
        (ValueError("nothing known"), r"cannot be used \(nothing known\): check its logs"),
        (DataError("a sentence of ours"), "^a sentence of ours$"),
    ],
)
def test_what_ray_raises_becomes_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(BertlineError, match=sentence), ray_cluster._told_in_a_sentence("head:6379"):
        raise error


def test_no_cluster_on_this_machine_has_its_remedy() -> None:
    with pytest.raises(ClusterError, match="--ray local"), ray_cluster._told_in_a_sentence("auto"):
        raise ConnectionError("Could not find any running Ray instance")


def test_an_error_of_ours_comes_out_of_a_worker_as_it_was() -> None:
    class Wrapped(Exception):
        cause: Any = DataError("line 3 is bad: fix it")

    assert str(ray_cluster._own(Wrapped())) == "line 3 is bad: fix it"
    Wrapped.cause = ModuleNotFoundError("no", name="bertline.machine")
    assert isinstance(ray_cluster._own(Wrapped()), ClusterError)
