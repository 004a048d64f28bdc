"""A RayJob for KubeRay: a Ray cluster in Kubernetes that runs one command of bertline and ends with it.

Whatever is lost, the job continues: a worker's shard goes to another worker, a lost head means a new cluster and the
same command, which does what is not done. KubeRay sends the entrypoint through two shells, so the words of a command
are checked for what a shell would read into them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bertline import __version__
from bertline.deploy.chart import Image
from bertline.deploy.measured import MIB, ServerFigures
from bertline.deploy.ray_pods import SUBMITTER, WORKERS, Pods
from bertline.errors import UsageError
from bertline.monitoring.dashboards.yaml_files import yaml_of

DATA = "/data"  # where the image works, and where a volume is mounted
RAY = "2.60.0"  # of the image's lock
SHARED_MEMORY = 128 * 2**20  # of each node; only calls and their small answers pass through it
NODE_MIB, MARGIN = 768, 1.25  # memory of Ray itself on a node (docs/log.md), and on top of a model's measured peak
ADDRESSES = ("s3://",)
TRAINING = ("train", "distill", "pretrain")
VERBS = ("predict", "evaluate", "optimize", *TRAINING)
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,45}[a-z0-9])?")  # KubeRay allows 47 characters
_READ_BY_SHELLS = set("$`\"'\\!*?[]{}()<>|&;~#\n\t")
_MEMORY = re.compile(r"[1-9][0-9]*(Mi|Gi)")


@dataclass(frozen=True, slots=True)
class RayJob:
    """What a job runs, on how much, and with what.

    Attributes:
        name: of the job and its objects.
        image: of batch work, built with EXTRA=ray.
        command: of bertline, without ``--ray``.
        workers: pods that compute.
        cores: of each of them.
        memory: of each of them, such as 6Gi.
        gpus: of each of them.
        claim: name of a volume claim that all pods can write (ReadWriteMany); empty: none.
        secret: name of a Secret whose keys become variables, such as AWS_ACCESS_KEY_ID; empty: none.
        account: service account with a workload identity; empty: the namespace's default.
        variables: of all pods, such as AWS_REGION.
        retries: new clusters after a failure.
        limit_s: seconds after which the job fails; None: no limit.
        keep_s: seconds for which the cluster and its logs stay after the end.

    Raises:
        UsageError: KubeRay or the command would refuse it.
    """

    name: str
    image: Image
    command: Sequence[str]
    workers: int
    cores: int
    memory: str
    gpus: int = 0
    claim: str = ""
    secret: str = ""
    account: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    retries: int = 3
    limit_s: int | None = None
    keep_s: int = 600

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} cannot name a RayJob: give at most 47 lower-case letters, digits and hyphens, "
                "beginning with a letter"
            )
        if not self.image.digest:
            raise UsageError(
                f"{self.image.repository} could be replaced by other content between two pods: give the image with its "
                "digest, @sha256:…, as the registry shows it after the push"
            )
        if not _MEMORY.fullmatch(self.memory):
            raise UsageError(f"{self.memory} is not an amount of memory: give it as 512Mi or 6Gi")
        self._check_command()

    @property
    def entrypoint(self) -> str:
        """The command as KubeRay passes it on."""
        words = ["bertline", *self.command, "--ray", "auto"]
        if self.command[0] in TRAINING:
            if "--processes" not in words:
                words += ["--processes", str(self.workers * max(1, self.gpus))]
            if "--resume" not in words:
                words.append("--resume")
        return " ".join(f'"{word}"' if " " in word else word for word in words)

    def objects(self) -> list[dict[str, Any]]:
        """The RayJob, and the NetworkPolicy of its pods."""
        return [self._job(), self._policy()]

    def _check_command(self) -> None:
        command = [*self.command]
        if not command or command[0] not in VERBS:
            raise UsageError(
                f"{command[0] if command else 'nothing'} is not a command that runs on Ray: give one of "
                f"{', '.join(VERBS)} after --"
            )
        if "--ray" in command:
            raise UsageError("--ray is set by the job, whose cluster has no address before it runs: leave it out")
        for word in command:
            if set(word) & _READ_BY_SHELLS:
                raise UsageError(
                    f"{word!r} has a character that a shell would interpret, and KubeRay passes commands through two "
                    "of them: rename it, or set it in bertline.toml"
                )
            if self.claim and word.startswith("/") and not f"{word}/".startswith(f"{DATA}/"):
                raise UsageError(
                    f"{word} is not on the volume of all pods, which is mounted at {DATA}: name a path below it"
                )
        if not self.claim:
            self._check_addresses(command)

    def _check_addresses(self, command: Sequence[str]) -> None:
        """Without a volume, pods share nothing but a bucket."""
        if command[0] != "predict":
            raise UsageError(f"{command[0]} needs files that all pods share: name a ReadWriteMany claim with --claim")
        places = {"the bundle": command[1] if len(command) > 1 else ""}
        places |= {flag: _value(command, flag) for flag in ("--input", "--output")}
        for what, place in places.items():
            if not place.startswith(ADDRESSES):
                raise UsageError(
                    f"{what} is {place or 'missing'}, and the pods share no files: give an s3:// address, or a "
                    "ReadWriteMany claim with --claim"
                )

    def _job(self) -> dict[str, Any]:
        pods = Pods(self.name, self.image, self.claim, self.secret, self.account, self.variables)
        start = {"object-store-memory": str(SHARED_MEMORY)}
        workers = {
            "groupName": WORKERS,
            **dict.fromkeys(("replicas", "minReplicas", "maxReplicas"), self.workers),
            "rayStartParams": start,
            "template": pods.worker(self.cores, self.memory, self.gpus),
        }
        limit = {} if self.limit_s is None else {"activeDeadlineSeconds": self.limit_s}
        return {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"name": self.name, "labels": pods.labels("job")},
            "spec": {
                "entrypoint": self.entrypoint,
                "submissionMode": "K8sJobMode",
                "backoffLimit": self.retries,
                **limit,
                "shutdownAfterJobFinishes": True,
                "ttlSecondsAfterFinished": self.keep_s,
                "submitterConfig": {"backoffLimit": 2},
                "submitterPodTemplate": pods.submitter(),
                "rayClusterSpec": {
                    "rayVersion": RAY,
                    "authOptions": {"mode": "token"},
                    "headGroupSpec": {
                        "rayStartParams": {"dashboard-host": "0.0.0.0", "num-cpus": "0", **start},
                        "template": pods.head(),
                    },
                    "workerGroupSpecs": [workers],
                },
            },
        }

    def _policy(self) -> dict[str, Any]:
        """Pods of the job talk to each other, to DNS and to the store; the operator asks the dashboard."""
        pods = Pods(self.name, self.image)
        own = {"podSelector": {"matchLabels": pods.selector}}
        operator = {
            "namespaceSelector": {},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}},
        }
        dns = {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
            "ports": [{"port": 53, "protocol": one} for one in ("UDP", "TCP")],
        }
        egress: list[dict[str, Any]] = [{"to": [own]}, dns]
        if any(word.startswith(ADDRESSES) for word in self.command):
            egress.append({"ports": [{"port": _store_port(self.variables), "protocol": "TCP"}]})
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": self.name, "labels": pods.labels("network")},
            "spec": {
                "podSelector": {"matchLabels": pods.selector},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {"from": [own]},
                    {"from": [operator], "ports": [{"port": "dashboard", "protocol": "TCP"}]},
                ],
                "egress": egress,
            },
        }


def memory_of(measured: ServerFigures, cores: int) -> str:
    """The memory of a pod that predicts: Ray's own processes, and the model once for each core."""
    mebibytes = NODE_MIB + cores * MARGIN * measured.memory_bytes / MIB
    return f"{-int(-mebibytes // 64) * 64}Mi"


def manifest(job: RayJob) -> str:
    """The file: what it is and how it is used, then the objects."""
    lines = (
        shlex.join(["bertline", *job.command]),
        f"on {job.workers} pods of {job.cores} cores, by KubeRay 1.5.1 or newer. Written by bertline {__version__}.",
        "",
        "  kubectl apply --server-side -f THIS_FILE",
        f"  kubectl get rayjob {job.name} --watch",
        f"  kubectl logs -f -l job-name={job.name} -c {SUBMITTER}",
        "",
        "After a failure, delete the RayJob and apply it again: it does what is not done.",
    )
    made, policy = json.loads(json.dumps(job.objects()))  # without common parts, which YAML would write as references
    head = "\n".join(f"# {line}".rstrip() for line in lines).removeprefix("# ")
    reached = "Pods of the job reach each other, DNS and the store; the operator reaches the dashboard."
    return f"{yaml_of(made, comment=head)}---\n{yaml_of(policy, comment=reached)}"


def _value(command: Sequence[str], flag: str) -> str:
    """The value of a flag, given as two words or with ``=``."""
    for place, word in enumerate(command):
        if word == flag:
            return command[place + 1] if place + 1 < len(command) else ""
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return ""


def _store_port(variables: Mapping[str, str]) -> int:
    """Of the object store: that of its endpoint, or HTTPS."""
    endpoint = variables.get("AWS_ENDPOINT_URL", "https://")
    port = re.search(r":(\d+)(/|$)", endpoint)
    return int(port[1]) if port else 80 if endpoint.startswith("http://") else 443
