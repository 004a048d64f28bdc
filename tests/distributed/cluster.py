"""A real Ray cluster of two nodes on this machine, in a process of its own, so that a test can end any part of it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NODES = """
import json, sys, traceback
from ray.cluster_utils import Cluster

cluster = Cluster()
made = {}
for line in sys.stdin:
    what, name, cores = json.loads(line)
    if what == "add":
        for attempt in range(5):
            try:
                node = cluster.add_node(num_cpus=cores, include_dashboard=False, object_store_memory=80 * 2**20)
                break
            except Exception:  # on a busy machine, a node's agent may not start in the time that Ray gives it
                traceback.print_exc()
        made[name] = node
        raylet = node.all_processes["raylet"][0].process.pid
        print(json.dumps({"address": cluster.address, "raylet": raylet}), flush=True)
    else:  # its raylet was killed; what is left of the node goes too
        cluster.remove_node(made.pop(name), allow_graceful=False)
        print(json.dumps({}), flush=True)
cluster.shutdown()
"""


@dataclass
class Nodes:
    """The process that holds the nodes; the first one is the head, which no test ends."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    address: str = ""
    raylets: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, cores: int) -> None:
        """Start a node."""
        facts = self._ask("add", name, cores)
        self.address, self.raylets[name] = facts["address"], facts["raylet"]

    def kill(self, name: str) -> None:
        """End a node with -9: its raylet, whose workers end with it."""
        os.kill(self.raylets.pop(name), signal.SIGKILL)
        self._ask("remove", name, 0)

    def _ask(self, what: str, name: str, cores: int) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([what, name, cores]), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


@contextmanager
def nodes(home: Path, own: Mapping[str, str] | None = None, hidden: Path | None = None) -> Iterator[Nodes]:
    """Within: the holder of a cluster runs, and its token is in the environment to connect with.

    Args:
        home: of the nodes' processes.
        own: variables that only the nodes have.
        hidden: a directory that the nodes see empty, as if they were other machines; hiding it takes root's rights.
    """
    environment = {
        **os.environ,
        "HOME": str(home),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-c", NODES]
    if hidden is not None:
        mount = 'mount -t tmpfs none "$0" && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mount, str(hidden), *command]
    with (home / "nodes.log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**environment, **(own or {})},
            start_new_session=True,
        )
    try:
        yield Nodes(process, environment)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
