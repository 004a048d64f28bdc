"""Commands of bertline as processes of their own, and the server among them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S, STOP_S = 180.0, 60.0


class Failed(SystemExit):
    """A command did not end as it should."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where everything goes: a registry in SQLite, a store of bundles and one of predictions.

    Attributes:
        directory: of all of it.
    """

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of every command."""
        return {
            **os.environ,
            "BERTLINE_REGISTRY": f"sqlite:///{self.directory / 'models.db'}",
            "BERTLINE_STORE": str(self.directory / "models"),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def predictions(self) -> str:
        """URL of the store of predictions."""
        return f"sqlite:///{self.directory / 'predictions.db'}"

    def run(self, *words: object, codes: tuple[int, ...] = (0,), quiet: bool = True) -> str:
        """Run ``bertline`` with these words, print them, and return what it printed.

        Raises:
            Failed: it ended with another exit code.
        """
        given = [str(one) for one in words]
        print(f"   $ bertline {' '.join(given)}", flush=True)
        command = [sys.executable, "-m", "bertline.cli.main", *given]
        ended = subprocess.run(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if ended.returncode not in codes:
            raise Failed(f"bertline {given[0]} ended with {ended.returncode}: {(ended.stderr or ended.stdout).strip()}")
        return ended.stdout

    def json(self, *words: object, codes: tuple[int, ...] = (0,), quiet: bool = True) -> Any:
        """The JSON that ``bertline`` prints with these words and ``--json``."""
        return json.loads(self.run(*words, "--json", codes=codes, quiet=quiet))


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        url: of its page.
        process: it.
    """

    url: str
    process: subprocess.Popen[bytes]

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> tuple[Any, Mapping[str, str]]:
        """JSON and headers of the answer to a POST.

        Raises:
            OSError: there is no answer, or a refusal.
        """
        named = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), named)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer), answer.headers


@contextmanager
def serving(workshop: Workshop, port: int, *flags: str) -> Iterator[Server]:
    """Within: a server of the champion, which keeps predictions with their texts.

    Raises:
        Failed: it does not start.
    """
    port = port or _free_port()
    log = (workshop.directory / "server.log").open("wb")
    words = ["serve", "models:/reviews@champion", "--port", str(port), "--predictions-url", workshop.predictions]
    words += ["--predictions-text", *flags]
    print(f"   $ bertline {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "bertline.cli.main", *words]
    process = subprocess.Popen(command, env=workshop.environment, stdout=log, stderr=log)
    try:
        yield Server(_ready(process, port, workshop), process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _ready(process: subprocess.Popen[bytes], port: int, workshop: Workshop) -> str:
    url, began_s = f"http://127.0.0.1:{port}", time.monotonic()
    while time.monotonic() - began_s < START_S and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5):
                return url
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise Failed(f"the server did not start: read {workshop.directory / 'server.log'}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
