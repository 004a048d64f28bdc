"""Run a stack of this machine's programs: replicas behind nginx, with PostgreSQL, Redis, Prometheus, HTTPS and keys.

python -m tools.stack [BUNDLE] [--replicas 2]      runs until Ctrl+C and prints the addresses
python -m tools.stack --podman IMAGE               with containers of an image (tools/stack_podman.py)

nginx and Prometheus read the files that ``bertline deploy stack`` writes for containers, with this machine's addresses.
Without a BUNDLE the model is the one of ``make demo`` or, if that has not run, a tiny one.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from bertline.deploy.stack import Gateway
from bertline.destination import write_files
from bertline.monitoring.dashboards import prometheus
from bertline.testing.tiny import write_tiny_bundle
from tests.programs import program
from tests.service import postgres, redis_server, watching
from tests.service.spawn import COMMAND, ENVIRONMENT

DEMO = Path("build/demo/reviews")
START_S = 120.0


@dataclass
class Replica:
    """One server on a port of its own.

    Attributes:
        name: of the model.
        bundle: that it serves.
        port: where it listens.
        environment: variables.
        log: file of its output.
        core: the only core that it may use, or None for all.
    """

    name: str
    bundle: Path
    port: int
    environment: Mapping[str, str]
    log: Path
    core: int | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.begin()
        self.until_ready()

    def begin(self) -> None:
        """Start it."""
        command = [sys.executable, "-c", COMMAND, "serve", f"{self.name}={self.bundle}", "--port", str(self.port)]
        if self.core is not None:
            command = ["taskset", "-c", str(self.core), *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**ENVIRONMENT, **self.environment}, stdout=log, stderr=log, cwd=self.log.parent
            )

    def until_ready(self) -> None:
        """Return once it is ready."""
        deadline_s = time.monotonic() + START_S
        while True:
            assert self.process
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            try:
                if httpx.get(f"http://{self.address}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline_s, self.log.read_text(errors="replace")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait; its exit code."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(60)


@dataclass
class LocalStack:
    """The parts of a running stack.

    Attributes:
        url: where nginx answers.
        authority: file of the certificate that signed nginx's.
        keys: API keys by scope.
        replicas: the servers.
        prometheus: URL.
        name: of the model.
    """

    url: str
    authority: Path
    keys: Mapping[str, str]
    replicas: list[Replica]
    prometheus: watching.Prometheus
    name: str

    def roll(self, bundle: Path | None = None) -> None:
        """Restart the replicas one after the other, with another bundle if one is given."""
        for one in self.replicas:
            assert one.stop() == 0, one.log.read_text(errors="replace")
            one.bundle = bundle or one.bundle
            one.start()

    def swap(self, bundle: Path) -> None:
        """Deploy a version to the running replicas, one after the other."""
        for one in self.replicas:
            httpx.put(
                f"http://{one.address}/admin/models/{self.name}",
                json={"bundle": str(bundle)},
                headers={"Authorization": f"Bearer {self.keys['admin']}"},
                timeout=START_S,
                trust_env=False,
            ).raise_for_status()


def free_ports(number: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def bertline(*arguments: str, **environment: str) -> str:
    """The standard output of a command."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    done = subprocess.run(
        command, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, check=False, timeout=START_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Running(Protocol):
    """What a running stack says of itself."""

    @property
    def url(self) -> str: ...
    @property
    def authority(self) -> Path: ...
    @property
    def keys(self) -> Mapping[str, str]: ...
    @property
    def prometheus(self) -> watching.Prometheus: ...


@dataclass(frozen=True)
class Stores:
    """What replicas share.

    Attributes:
        settings: variables of the replicas.
        keys: API keys by scope.
        sockets: directories of the sockets of PostgreSQL and Redis.
    """

    settings: Mapping[str, str]
    keys: Mapping[str, str]
    sockets: tuple[Path, Path]


@contextmanager
def stores(**settings: str) -> Iterator[Stores]:
    """PostgreSQL and Redis, and keys in the former; ``settings`` are further variables of the replicas."""
    with postgres.cluster() as database, redis_server.redis_server() as counts:
        shared = {
            "BERTLINE_AUTH_DATABASE": database.url,
            "BERTLINE_LIMITS_STORE_URL": counts.url,
            "BERTLINE_LIMITS_TOKENS_PER_MINUTE": "100000000",
            "BERTLINE_EDGE_TRUSTED_PROXIES": "127.0.0.1",
            "BERTLINE_LOGS_FORMAT": "json",
            **settings,
        }
        keys = {
            scope: bertline("auth", "key", "add", scope, "--scope", scope, **shared)
            for scope in ("predict", "metrics", "admin")
        }
        yield Stores(shared, keys, (database.directory, counts.directory))


@contextmanager
def gateway(folder: Path, targets: Sequence[str], keys: Mapping[str, str]) -> Iterator[tuple[str, watching.Prometheus]]:
    """Run nginx, with a certificate of its own, and Prometheus; yields the URL of nginx, and Prometheus."""
    [port] = free_ports(1)
    run = folder / "run"
    run.mkdir(parents=True)
    bertline("tls", "dev", "--out", str(folder / "certs"))
    (folder / "key").write_text(keys["metrics"])
    scrape = prometheus.Scrape(targets=tuple(targets), key_file=str(folder / "key"), interval_s=1)
    config = Gateway(tuple(targets), f"127.0.0.1:{port}", str(folder / "certs"), str(run)).config()
    write_files({"nginx.conf": config, **prometheus.files(scrape)}, folder, "the stack")
    with ExitStack() as ends:
        watched = ends.enter_context(watching.prometheus(folder / "prometheus"))
        _start_nginx(ends, folder, port)
        yield f"https://localhost:{port}", watched


@contextmanager
def running(
    folder: Path, bundle: Path, replicas: int = 2, cores: Sequence[int] = (), **settings: str
) -> Iterator[LocalStack]:
    """A stack that serves a bundle, until the block ends.

    Args:
        folder: of its files; its path must be short enough for the path of a socket.
        bundle: to serve.
        replicas: their number.
        cores: the only core of each replica, if given.
        settings: variables of the replicas.
    """
    name = bundle.name  # of every version, whatever its manifest calls it
    folder.mkdir(parents=True)
    with stores(**settings) as shared, ExitStack() as ends:
        servers = [
            Replica(
                name,
                bundle,
                port,
                shared.settings,
                folder / f"replica-{number}.log",
                core=cores[number] if cores else None,
            )
            for number, port in enumerate(free_ports(replicas))
        ]
        ends.callback(_end, servers)
        for one in servers:
            one.begin()
        for one in servers:
            one.until_ready()
        url, watched = ends.enter_context(gateway(folder, [one.address for one in servers], shared.keys))
        yield LocalStack(url, folder / "certs" / "ca.pem", shared.keys, servers, watched, name)


def _start_nginx(ends: ExitStack, folder: Path, port: int) -> None:
    log = ends.enter_context((folder / "nginx.log").open("wb"))
    command = [
        program("nginx"),
        "-c",
        str(folder / "nginx.conf"),
        "-p",
        str(folder),
        "-e",
        "stderr",
        "-g",
        "daemon off;",
    ]
    process = subprocess.Popen([*command, "-g", "daemon off;"], stdout=log, stderr=log)
    ends.callback(process.wait, 30)
    ends.callback(process.terminate)
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            is_running = process.poll() is None and time.monotonic() < deadline_s
            assert is_running, (folder / "nginx.log").read_text()
            time.sleep(0.02)


def _end(replicas: Sequence[Replica]) -> None:
    for one in replicas:
        if one.process and one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def main() -> int:
    """Run a stack until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", type=Path, help="default: the demo's model, or a tiny one")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--podman", metavar="IMAGE", help="run the replicas as containers of an image, by podman")
    chosen = parser.parse_args()
    os.chdir(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory(prefix="bertline-stack-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # nginx's own user reads from it
        if chosen.podman:
            from tools import stack_podman

            with stack_podman.running(folder / "stack", chosen.podman, replicas=chosen.replicas) as one:
                names = zip(one.replicas.targets, one.replicas.names, strict=True)
                _wait(one, [f"http://{target}  container {name}" for target, name in names])
            return 0
        bundle = chosen.bundle or (DEMO if DEMO.is_dir() else folder / "tiny")
        if bundle == folder / "tiny":
            write_tiny_bundle(bundle, engine=True)
        with running(folder / "stack", bundle.resolve(), chosen.replicas) as stack:
            servers = stack.replicas
            _wait(stack, [f"http://{x.address}  process {x.process.pid if x.process else '?'}" for x in servers])
    return 0


def _wait(stack: Running, replicas: Sequence[str]) -> None:
    """Print the addresses, and return after Ctrl+C."""
    print(f"{len(replicas)} replicas behind nginx")
    print(f"  curl --cacert {stack.authority} {stack.url}/v1/predict \\")
    print(f"    -H 'authorization: Bearer {stack.keys['predict']}' \\")
    print("    -H 'content-type: application/json' -d '{\"text\": \"a quiet film\"}'")
    print(f"Prometheus  {stack.prometheus.url}/alerts")
    for one in replicas:
        print(f"replica     {one}")
    print("Ctrl+C ends all of it")
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    sys.exit(main())
