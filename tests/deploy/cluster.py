"""A namespace of a real cluster, with Helm and kubectl on it, and clients that run inside."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deploy.kubernetes import Done, helm, run, tool

PATIENCE_S = 300
CLIENTS = 12
# Threads that each send requests through the Service, one connection for each, until their time is over.
LOAD = """
import json, os, threading, time, urllib.request
TYPE = {"Content-Type": "application/json"}
counts, lost = [0] * int(os.environ["CLIENTS"]), []
until = time.monotonic() + float(os.environ["SECONDS"])
def run(place):
    while time.monotonic() < until:
        try:
            request = urllib.request.Request(os.environ["URL"], os.environ["BODY"].encode(), TYPE)
            with urllib.request.urlopen(request, timeout=60) as response:
                response.read()
            counts[place] += 1
        except Exception as error:
            lost.append(f"{type(error).__name__}: {error}")
threads = [threading.Thread(target=run, args=(place,)) for place in range(len(counts))]
for one in threads: one.start()
for one in threads: one.join()
print(json.dumps({"answered": sum(counts), "lost": lost}))
"""


class Cluster:
    """One namespace, which the block's end removes."""

    def __init__(self, kubeconfig: Path) -> None:
        self.namespace = f"bertline-{secrets.token_hex(3)}"
        self._kubeconfig = kubeconfig

    def kubectl(self, *arguments: object, **options: Any) -> Done:
        """Run kubectl in the namespace."""
        place = ("--kubeconfig", self._kubeconfig, "--namespace", self.namespace)
        return run([tool("kubectl"), *place, *arguments], **options)

    def helm(self, *arguments: object) -> Done:
        """Run Helm in the namespace."""
        return helm("--kubeconfig", self._kubeconfig, "--namespace", self.namespace, *arguments)

    def done(self, did: Done) -> str:
        """The output of a command that must succeed."""
        assert did.returncode == 0, did.stdout + did.stderr
        return did.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object."""
        content: dict[str, Any] = json.loads(self.done(self.kubectl("get", kind, name, "--output", "json")))
        return content

    def serves(self, group: str) -> bool:
        """Whether the API server has this group, such as keda.sh/v1alpha1."""
        return group in self.done(self.kubectl("api-versions")).splitlines()

    def apply(self, objects: Sequence[Mapping[str, Any]], *arguments: str) -> Done:
        """Apply objects on the server's side."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]})
        return self.kubectl("apply", "--server-side", *arguments, "--filename", "-", input=given)

    def until(self, what: str, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until something holds."""
        deadline_s = time.monotonic() + patience_s
        while not holds():
            if time.monotonic() > deadline_s:
                events = self.kubectl("get", "events", "--sort-by", ".lastTimestamp").stdout[-3000:]
                raise AssertionError(f"not in {patience_s:g} s: {what}\n{events}")
            time.sleep(2)

    def load(self, image: str, url: str, body: Mapping[str, object], seconds: int, name: str = "load") -> None:
        """Start clients in a pod of their own, and wait until they send."""
        variables = {"URL": url, "BODY": json.dumps(body), "SECONDS": str(seconds), "CLIENTS": str(CLIENTS)}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "load",
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "-c", LOAD],
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                        "env": [{"name": key, "value": value} for key, value in variables.items()],
                    }
                ],
            },
        }
        self.done(self.apply([pod]))
        self.until(f"{name} sends", lambda: self.get("pod", name)["status"].get("phase") == "Running")

    def loaded(self, patience_s: float, name: str = "load") -> dict[str, Any]:
        """What the clients got, when their time is over."""
        phase = lambda: self.get("pod", name)["status"].get("phase")  # noqa: E731
        self.until(f"{name} ends", lambda: phase() in ("Succeeded", "Failed"), patience_s)
        result: dict[str, Any] = json.loads(self.done(self.kubectl("logs", name)).splitlines()[-1])
        return result


@contextmanager
def cluster_of(kubeconfig: Path) -> Iterator[Cluster]:
    """A new namespace, in which pods must fulfil the restricted Pod Security Standard."""
    cluster = Cluster(kubeconfig)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": cluster.namespace,
            "labels": {f"pod-security.kubernetes.io/{one}": "restricted" for one in ("enforce", "warn")},
        },
    }
    cluster.done(cluster.apply([namespace]))
    try:
        yield cluster
    finally:
        cluster.kubectl("delete", "namespace", cluster.namespace, "--wait=false")
