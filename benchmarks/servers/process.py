"""A server's processes: started, waited for, weighed, and ended, each by its own id.

    with Server(contestant, setting, bundle) as server:
        server.label("a quiet film")
        server.resident_bytes()

Servers start processes of their own, some of which leave the family: all of them carry a mark in their environment,
which is how they are found again.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.servers.client import Client
from benchmarks.servers.contestants import ENGINE, WORK, Contestant, Place, Setting, prepare
from benchmarks.servers.load import HOST

MARK = "BENCHMARK_SERVER_MARK"
START_LIMIT_S, STOP_LIMIT_S = 300.0, 20.0
LINES_SHOWN = 15
FIRST_TEXT = "A quiet film that stays with you for days."


class ServerError(RuntimeError):
    """A server did not start, or gave an answer that it should not."""


@dataclass
class Server:
    """One contestant with one setting, alive within ``with``; what it prints goes to ``log``.

    Raises:
        ServerError: on entry, when it ends or gives no answer within ``START_LIMIT_S``.
    """

    contestant: Contestant
    setting: Setting
    bundle: Path
    port: int = field(default=0, init=False)
    started_s: float = field(default=0.0, init=False)
    headers: str = field(default="", init=False, repr=False)
    _mark: str = field(default="", init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def log(self) -> Path:
        """Where its output is."""
        return WORK / f"{self.contestant.name}.log"

    def __enter__(self) -> Self:
        python = prepare(self.contestant)
        self.headers = self.contestant.headers()
        WORK.mkdir(parents=True, exist_ok=True)
        self.port, self._mark = _free_port(), uuid.uuid4().hex
        place = Place(python, self.bundle.absolute(), self.port)
        command = self.contestant.command(place, self.setting.options)
        began = time.monotonic()
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, cwd=WORK, env=self._environment(place)
            )
        try:
            self._wait(began)
        except BaseException:
            self.close()
            raise
        self.started_s = time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def client(self) -> Client:
        """A connection for one request after the other."""
        return Client(self.port, self.contestant.path, self.headers)

    def label(self, text: str) -> str:
        """The label that it gives a text.

        Raises:
            ServerError: its answer is no success.
        """
        with self.client() as client:
            status, content, _ = client.ask(self.contestant.request(text))
        if status != 200:
            raise ServerError(
                f"{self.contestant.name} answered {status}: {content[:300]!r}; its output is in {self.log}"
            )
        return self.contestant.label(json.loads(content))

    def processes(self) -> list[int]:
        """The ids of all its processes."""
        return _marked(f"{MARK}={self._mark}".encode())

    def resident_bytes(self) -> int:
        """Resident memory of all its processes together; pages that they share are counted once in each."""
        return sum(_resident_bytes(one) for one in self.processes())

    def close(self) -> None:
        """Ask it to end, and end what is left of it."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT_S)
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 5
            left = self.processes()
            for one in left:
                _send(one, number)
            while left and time.monotonic() < deadline:
                time.sleep(0.1)
                left = self.processes()

    def _wait(self, began: float) -> None:
        assert self._process is not None
        refused: Exception | None = None
        while time.monotonic() - began < START_LIMIT_S:
            if self._process.poll() is not None:
                raise ServerError(f"{self.contestant.name} ended with {self._process.returncode}{self._words()}")
            try:
                self.label(FIRST_TEXT)
                return
            except (OSError, ServerError) as error:  # not listening yet, or not ready
                refused = error
                time.sleep(0.2)
        raise ServerError(f"{self.contestant.name} is not ready after {START_LIMIT_S:g} s: {refused}{self._words()}")

    def _words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_SHOWN:]
        return "".join(f"\n    {line}" for line in lines)

    def _environment(self, place: Place) -> dict[str, str]:
        """Ours, without what would lead to our packages, with the options, without ways to the hub or to telemetry."""
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        options = {"bundle": str(place.bundle), "port": place.port, "engine": ENGINE, **self.setting.options}
        path = f"{place.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            **{name: value for name, value in os.environ.items() if name not in hidden},
            "PATH": path,
            MARK: self._mark,
            "BENCHMARK_OPTIONS": json.dumps(options),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": str((WORK / "hub").absolute()),
            "TRANSFORMERS_OFFLINE": "1",
            "TORCHINDUCTOR_CACHE_DIR": str((WORK / "inductor").absolute()),
            "DO_NOT_TRACK": "1",
            "INFINITY_ANONYMOUS_USAGE_STATS": "0",
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str((WORK / "bentoml").absolute()),
            "RAY_USAGE_STATS_ENABLED": "0",
        }


def allow_many_files() -> None:
    """As many open connections as the machine allows, for this process and those that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


def _marked(mark: bytes) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it has ended, or is another user's
                continue
    return found


def _resident_bytes(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _send(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)
