"""Machines beside this one: a Ray cluster whose workers run objects of ours. Only this file imports ray.

A worker is a process of the cluster that holds one object and answers calls of its methods. Nothing is restarted here:
a worker that dies answers its calls with ``WorkerLost``, and whoever uses it decides what to do again.
"""

from __future__ import annotations

import os
import pickle
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bertline
from bertline.errors import BertlineError, ClusterError, UsageError, needing
from bertline.machine.cores import usable_cores

LOCAL = "local"
AUTO = "auto"  # the cluster of RAY_ADDRESS, or the one that runs on this machine
PATIENCE_S = 5.0  # for a connection to a cluster's port
STORE_BYTES = 256 * 2**20  # of a local cluster's shared memory; only calls and their small answers pass through it
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # RFC 9113, 3.4
HTTP2_SETTINGS = b"\x04"  # the type of the first frame of a server
START = "ray start --head"


class WorkerLost(ClusterError):
    """A process or a machine of a cluster died while it worked."""


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of a cluster: what Ray may use of it."""

    name: str
    address: str
    cores: float
    gpus: float


class Cluster:
    """A connected cluster; ``connect`` makes one.

    Args:
        ray: the module.
        address: as it was given, for messages.
    """

    def __init__(self, ray: Any, address: str) -> None:
        self._ray, self.address = ray, address

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The machines that are alive."""
        return tuple(
            Node(one["NodeID"], one["NodeManagerAddress"], resources.get("CPU", 0.0), resources.get("GPU", 0.0))
            for one in self._ray.nodes()
            if one["Alive"]
            for resources in [one["Resources"]]
        )

    @property
    def cores(self) -> int:
        """Cores of all machines."""
        return int(sum(node.cores for node in self.nodes))

    @property
    def gpus(self) -> int:
        """GPUs of all machines."""
        return int(sum(node.gpus for node in self.nodes))

    def start(
        self,
        factory: Callable[..., object],
        *arguments: object,
        cores: float = 1,
        gpus: float = 0,
        memory_bytes: int | None = None,
        node: str | None = None,
    ) -> Worker:
        """A worker that holds ``factory(*arguments)``; returns at once, and the object is made there.

        Args:
            factory: a class or function of a module that the cluster's machines have.
            arguments: are pickled.
            cores: reserved for it.
            gpus: reserved for it, in ``CUDA_VISIBLE_DEVICES``.
            memory_bytes: reserved for it.
            node: name of the machine; by default workers are spread over all.
        """
        strategy: Any = "SPREAD"
        if node is not None:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = self._ray.remote(_Held).options(
            num_cpus=cores,
            num_gpus=gpus,
            memory=memory_bytes,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=strategy,
        )
        return Worker(self._ray, actor.remote(bertline.__version__, factory, arguments))

    def first(self, calls: Sequence[Call], timeout_s: float) -> list[Call]:
        """Those of ``calls`` that have ended, well or badly; waits for one, at most ``timeout_s``."""
        by_reference = {call.reference: call for call in calls}
        if not by_reference:
            return []
        done, _ = self._ray.wait([*by_reference], num_returns=1, timeout=timeout_s)
        if done:
            done, _ = self._ray.wait([*by_reference], num_returns=len(by_reference), timeout=0)
        return [by_reference[one] for one in done]


class Worker:
    """A process of the cluster with one object."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor

    def call(self, method: str, *arguments: object) -> Call:
        """Begin a call of the object's method. Calls of one worker are answered in order, one at a time."""
        return Call(self._ray, self, self._actor.call.remote(method, arguments))

    def stop(self) -> None:
        """End the process."""
        with suppress(Exception):  # it may be gone
            self._ray.kill(self._actor)


class Call:
    """A call under way."""

    def __init__(self, ray: Any, worker: Worker, reference: Any) -> None:
        self._ray, self.worker, self.reference = ray, worker, reference

    def result(self, timeout_s: float | None = None) -> Any:
        """What the method returned; waits for it.

        Raises:
            WorkerLost: the process or its machine died, or does not answer in time.
            ClusterError: the machine lacks bertline or has another version.
            BertlineError: the method raised it.
        """
        errors = self._ray.exceptions
        try:
            return self._ray.get(self.reference, timeout=timeout_s)
        except errors.ActorUnschedulableError as error:
            raise ClusterError(
                f"the cluster cannot place a worker ({_brief(error)}): ask for fewer cores or less memory per worker"
            ) from None
        except errors.RayTaskError as error:
            raise _own(error) from error
        except errors.RayActorError as error:
            if (cause := getattr(error, "cause", None)) is not None:
                raise _own(cause) from error
            raise _lost(error) from None
        except (errors.RayError, TimeoutError) as error:
            raise _lost(error) from None


@contextmanager
def connect(address: str, *, cores: int | None = None) -> Iterator[Cluster]:
    """Within: a Ray cluster is connected.

    Args:
        address: ``local`` starts one on this machine, which ends with the context; ``HOST:PORT`` or ``auto`` connects
            to one that runs.
        cores: of a local cluster; by default those that this process may use.

    Raises:
        UsageError: ray is not installed, or the address is none.
        ClusterError: no cluster answers there, or it refuses the token or this version.
    """
    _check_address(address)
    _authenticate(local=address == LOCAL)
    with needing("--ray needs {}", "ray", extra="ray"):
        import ray
    _keep_quiet(ray)
    if address not in (LOCAL, AUTO):
        _check_port(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "namespace": "bertline"}
    if address == LOCAL:
        quiet |= {
            "num_cpus": cores or usable_cores(),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    with _told_in_a_sentence(address):
        ray.init(address=address, **quiet)
    try:
        yield Cluster(ray, address)
    finally:
        ray.shutdown()


class _Held:
    """What runs in a worker's process."""

    def __init__(self, version: str, factory: Callable[..., object], arguments: Sequence[object]) -> None:
        self._version, self._factory, self._arguments = version, factory, arguments
        self._made: object | None = None

    def call(self, method: str, arguments: Sequence[object]) -> object:
        try:
            if self._made is None:  # not in __init__, whose errors Ray passes on as text
                _check_version(self._version)
                self._made = self._factory(*self._arguments)
            return getattr(self._made, method)(*arguments)
        except BertlineError as error:
            raise _portable(error) from None


def _check_version(version: str) -> None:
    if version != bertline.__version__:
        raise ClusterError(
            f"{socket.gethostname()} of the cluster has bertline {bertline.__version__}, and {version} is used here: "
            "install the same version on all machines"
        )


def _portable(error: BertlineError) -> BertlineError:
    """The error, or one of the public kind with the same sentence where it cannot be pickled."""
    try:
        if str(pickle.loads(pickle.dumps(error))) == str(error):
            return error
    except Exception:
        pass
    kind: type[BertlineError] = next(one for one in type(error).__mro__ if one.__module__ == BertlineError.__module__)
    return kind(str(error))


def _check_address(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if address in (LOCAL, AUTO) or (colon and host and port.isdecimal() and "/" not in host):
        return
    raise UsageError(
        f"{address} is not the address of a Ray cluster: give local, auto or HOST:PORT, such as head:6379 "
        "(ray:// addresses are for programs that run outside the cluster's network)"
    )


def _authenticate(*, local: bool) -> None:
    """Choose the token before Ray is imported, which reads the environment then.

    A local cluster gets one of its own, in memory. Elsewhere, a token that is there is used.
    """
    environment = os.environ
    if "RAY_AUTH_MODE" in environment or "ray" in sys.modules:
        return
    there = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & environment.keys() or _token_file().is_file()
    if local and not there:
        environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    if local or there:
        environment["RAY_AUTH_MODE"] = "token"


def _keep_quiet(ray: Any) -> None:
    """Ray has no setting for what it prints on standard output about workers that die, which ``WorkerLost`` says."""
    worker = ray._private.worker
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


def _token_file() -> Path:
    return Path.home() / ".ray" / "auth_token"


def _check_port(address: str) -> None:
    """Say at once that no server of gRPC listens, which Ray would wait for over minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S) as connection:
            if os.environ.get("RAY_USE_TLS") in (None, "", "0"):
                connection.sendall(HTTP2_GREETING)
                if connection.recv(9)[3:4] != HTTP2_SETTINGS:
                    raise OSError("something else listens there")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ClusterError(
            f"no Ray cluster answers at {address} ({reason}): start one there with {START}, or correct the address"
        ) from None
    except OverflowError:
        raise UsageError(f"{address} is not the address of a Ray cluster: {port} is not a port") from None


@contextmanager
def _told_in_a_sentence(address: str) -> Iterator[None]:
    try:
        yield
    except BertlineError:
        raise
    except Exception as error:
        text = str(error)
        if "uthenticat" in text or "Failed to connect to Ray cluster" in text:  # it answered the greeting before
            raise ClusterError(
                f"the Ray cluster at {address} does not let this process in: put its token (~/.ray/auth_token on its "
                "head) into RAY_AUTH_TOKEN or ~/.ray/auth_token here, and check that its address is the head's"
            ) from error
        if "ersion mismatch" in text:
            raise ClusterError(
                f"the Ray cluster at {address} has another version of Ray or Python ({_brief(error)}): install the same"
            ) from error
        if isinstance(error, ConnectionError) and address == AUTO:
            raise ClusterError(
                f"no Ray cluster runs on this machine, and RAY_ADDRESS names none: start one with {START}, or give "
                "--ray local"
            ) from error
        raise ClusterError(
            f"the Ray cluster at {address} cannot be used ({_brief(error)}): check its logs in /tmp/ray/session_latest"
        ) from error


def _own(error: Any) -> Exception:
    """The error that was raised in a worker, as it was raised there."""
    cause: BaseException = getattr(error, "cause", None) or error
    if isinstance(cause, BertlineError):
        return cause
    if isinstance(cause, ModuleNotFoundError) and (cause.name or "").partition(".")[0] == "bertline":
        return ClusterError("a machine of the cluster has no bertline: install it there, in the same version")
    return cause if isinstance(cause, Exception) else ClusterError(_brief(cause))


def _lost(error: BaseException) -> WorkerLost:
    return WorkerLost(f"a worker of the cluster was lost ({_brief(error)}): see the logs of its machine")


def _brief(error: BaseException) -> str:
    """The first line of an error."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    return first or type(error).__name__
