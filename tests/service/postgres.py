"""A real PostgreSQL for tests: Debian's, with a cluster of its own that only a socket in a temporary directory reaches.

``from tests.service.postgres import postgres_url`` gives a module the fixture; ``new_database(postgres_url)`` gives a
test an empty database.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.programs import program

USER = "bertline"


class Postgres:
    """One server. It refuses to run as root, so root lends it another user."""

    def __init__(self, place: Path, directory: Path) -> None:
        self._place, self._directory = place, directory
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            names = [one.pw_name for one in pwd.getpwall()]
            name = "postgres" if "postgres" in names else "nobody"
            shutil.chown(directory, name)
            self._as = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
        command = [str(place / "initdb"), "-D", str(directory / "data"), "-U", USER, "-A", "trust", "-E", "UTF8"]
        command += ["--no-sync", "--locale=C"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=directory, **self._as)

    @property
    def directory(self) -> Path:
        """Of its socket."""
        return self._directory

    @property
    def url(self) -> str:
        """Of the database that is always there."""
        return f"postgresql://{USER}@/postgres?host={self._directory}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._directory),
            "fsync": "off",
            "max_connections": "60",
        }
        command = [str(self._place / "postgres"), "-D", str(self._directory / "data")]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._directory, **self._as)
        deadline_s = time.monotonic() + 60
        while not self._answers():
            running = self._process.poll() is None and time.monotonic() < deadline_s
            assert running, (self._directory / "log").read_text(errors="replace")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop at once; what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def cluster() -> Iterator[Postgres]:
    """A server of one's own, running; skips the test where PostgreSQL is not installed, but not in CI."""
    place = Path(program("initdb")).resolve().parent
    directory = Path(tempfile.mkdtemp(prefix="bertline-pg-"))  # short, because the path of a socket must be
    try:
        server = Postgres(place, directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server that all tests share."""
    with cluster() as server:
        yield server.url


def new_database(url: str, encoding: str = "UTF8") -> str:
    """URL of a new, empty database of that server."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'".encode())
    return url.replace("/postgres?", f"/{name}?")
