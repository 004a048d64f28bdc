"""Run a stack whose replicas are containers: an image, by the ``podman.sh`` that ``bertline deploy stack`` writes.

nginx and Prometheus are this machine's programs and ask the containers' own addresses; PostgreSQL and Redis are reached
by their sockets. Needs root, and podman with netavark (tools/containers.sh prepares it on machines without systemd).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bertline.deploy.stack import Stack, write_stack
from tests.service import watching
from tools import stack

NETWORK = "172.31.251"  # not that of a stack which is already here
SOCKETS = ("/sockets/postgres", "/sockets/redis")


@dataclass(frozen=True)
class Replicas:
    """The containers.

    Attributes:
        stack: their names and addresses.
        directory: of ``podman.sh``.
        environment: its variables.
    """

    stack: Stack
    directory: Path
    environment: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """As ``podman.sh`` knows them."""
        return self.stack.services

    @property
    def targets(self) -> list[str]:
        """``host:port`` of each."""
        return [f"{address}:8000" for address in self.stack.addresses]

    def script(self, *arguments: str) -> str:
        """What ``podman.sh`` prints."""
        return self._run("sh", "podman.sh", *arguments)

    def upgrade(self, image: str) -> None:
        """Another image, one replica after the other."""
        file = self.directory / ".env"
        lines = [line for line in file.read_text().splitlines() if not line.startswith("MODEL_IMAGE=")]
        file.write_text("\n".join([f"MODEL_IMAGE={image}", *lines, ""]))
        self.script("upgrade")

    def kill(self, name: str) -> None:
        """Kill the first process of a replica with -9; podman starts the container again."""
        os.kill(int(self.inspected(name, "{{.State.Pid}}")), signal.SIGKILL)

    def inspected(self, name: str, template: str) -> str:
        """What podman knows of a replica's container."""
        return self._run("podman", "inspect", "--format", template, f"{self.stack.name}-{name}")

    def until_ready(self, name: str) -> None:
        """Return once a replica that was killed is ready again."""
        deadline_s = time.monotonic() + stack.START_S
        while True:
            try:
                self._run("podman", "exec", f"{self.stack.name}-{name}", "python3", "-m", "bertline.deploy.health")
            except AssertionError:
                assert time.monotonic() < deadline_s, self._run("podman", "logs", f"{self.stack.name}-{name}")
                time.sleep(0.2)
            else:
                return

    def _run(self, *command: str) -> str:
        environ = {**os.environ, **self.environment}
        done = subprocess.run(command, cwd=self.directory, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


@dataclass(frozen=True)
class PodmanStack:
    """The parts of a running stack.

    Attributes:
        url: where nginx answers.
        authority: file of the certificate that signed nginx's.
        keys: API keys by scope.
        replicas: the containers.
        prometheus: its API.
    """

    url: str
    authority: Path
    keys: Mapping[str, str]
    replicas: Replicas
    prometheus: watching.Prometheus


@contextmanager
def running(folder: Path, image: str, name: str = "model", replicas: int = 2, **settings: str) -> Iterator[PodmanStack]:
    """A stack of containers of an image, until the block ends.

    Args:
        folder: of its files.
        image: of the server, as ``bertline deploy image`` builds it.
        name: with which the names of containers and networks begin; containers of these names are replaced.
        replicas: their number.
        settings: variables of the replicas.
    """
    folder.mkdir(parents=True)
    described = Stack(name, image, replicas, NETWORK)
    write_stack(described, folder / "podman")
    with stack.stores(**settings) as shared:
        _open(shared.sockets)
        containers = Replicas(described, folder / "podman", _variables(shared))
        try:
            containers.script("start", *containers.names)
            with stack.gateway(folder, containers.targets, shared.keys) as (url, watched):
                yield PodmanStack(url, folder / "certs" / "ca.pem", shared.keys, containers, watched)
        finally:
            containers.script("stop")


def _variables(shared: stack.Stores) -> dict[str, str]:
    """The settings of the replicas, with the sockets where the containers have them."""
    settings = dict(shared.settings)
    places = dict(zip(map(str, shared.sockets), SOCKETS, strict=True))
    for here, there in places.items():
        settings = {name: value.replace(here, there) for name, value in settings.items()}
    settings["BERTLINE_EDGE_TRUSTED_PROXIES"] = f"{NETWORK}.1"  # nginx, as the containers see this machine
    return {**settings, "REPLICA_OPTIONS": " ".join(f"--volume={here}:{there}" for here, there in places.items())}


def _open(sockets: tuple[Path, ...]) -> None:
    """Let the user of the containers connect."""
    for directory in sockets:
        directory.chmod(0o755)
        for one in directory.iterdir():
            if one.is_socket():
                one.chmod(0o777)
