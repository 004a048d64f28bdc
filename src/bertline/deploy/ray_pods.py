"""The pods of a RayJob: head, workers and the one that submits, each as restricted as Ray allows.

KubeRay replaces the command of the head and the workers by ``/bin/bash`` with ``ray start``, and adds its own probes
where there are none. Its probes call programs that the image may lack; those here ask Ray's agent over HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bertline.deploy.chart import UID, Image

HEAD, WORKERS, SUBMITTER = "ray-head", "workers", "ray-job-submitter"
AGENT_PORT = 52365  # of the agent on each node
PORTS = {"gcs-server": 6379, "dashboard": 8265, "client": 10001}
SCRATCH = "8Gi"  # of /tmp: logs, bundles that were fetched, what a computation writes aside
HEAD_CORES, HEAD_MEMORY = "1", "2Gi"
SUBMITTER_RESOURCES = {"cpu": "500m", "memory": "512Mi"}


@dataclass(frozen=True, slots=True)
class Pods:
    """Templates of pods.

    Attributes:
        name: of the job.
        image: of all pods.
        claim: name of a volume claim that is mounted at /data; empty: an empty directory of the pod.
        secret: name of a Secret whose keys become variables; empty: none.
        account: name of a service account; empty: the namespace's default.
        variables: of all pods.
    """

    name: str
    image: Image
    claim: str = ""
    secret: str = ""
    account: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def selector(self) -> dict[str, str]:
        """Labels that all pods of the job have, and no others."""
        return {"app.kubernetes.io/name": "bertline-batch", "app.kubernetes.io/instance": self.name}

    def labels(self, component: str) -> dict[str, str]:
        """Labels of one kind of object."""
        return {**self.selector, "app.kubernetes.io/component": component}

    def head(self) -> dict[str, Any]:
        """The pod that keeps the cluster together and runs the command; its cores are not for workers."""
        ports = [{"name": name, "containerPort": port} for name, port in PORTS.items()]
        probes = _probes({"path": "/api/gcs_healthz", "port": "dashboard"})
        return self._pod("head", HEAD, {"cpu": HEAD_CORES, "memory": HEAD_MEMORY}, ports=ports, **probes)

    def worker(self, cores: int, memory: str, gpus: int) -> dict[str, Any]:
        """A pod that computes."""
        amounts = {"cpu": str(cores), "memory": memory} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
        probes = _probes({"path": "/api/local_raylet_healthz", "port": AGENT_PORT})
        return self._pod("worker", "ray-worker", amounts, **probes)

    def submitter(self) -> dict[str, Any]:
        """The pod that hands the command to the cluster and prints what it prints."""
        pod = self._pod("submitter", SUBMITTER, SUBMITTER_RESOURCES)
        return {**pod, "spec": {**pod["spec"], "restartPolicy": "Never"}}

    def _pod(self, component: str, container: str, amounts: Mapping[str, str], **more: Any) -> dict[str, Any]:
        image = self.image
        tag = f":{image.tag}" if image.tag else ""
        own = {"BERTLINE_STORE_CACHE": "/tmp/bertline", "HOME": "/tmp", "RAY_USAGE_STATS_ENABLED": "0"}
        variables = {**own, **self.variables}
        secret = {"envFrom": [{"secretRef": {"name": self.secret}}]} if self.secret else {}
        account = {"serviceAccountName": self.account} if self.account else {}
        volume = (
            {"persistentVolumeClaim": {"claimName": self.claim}} if self.claim else {"emptyDir": {"sizeLimit": SCRATCH}}
        )
        one = {
            "name": container,
            "image": f"{image.repository}{tag}@{image.digest}",
            "imagePullPolicy": "IfNotPresent",
            "workingDir": "/data",
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            **secret,
            "resources": {"requests": dict(amounts), "limits": dict(amounts)},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}],
            **more,
        }
        return {
            "metadata": {"labels": self.labels(component)},
            "spec": {
                **account,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": UID,
                    "runAsGroup": UID,
                    "fsGroup": UID,
                    "fsGroupChangePolicy": "OnRootMismatch",
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [one],
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": SCRATCH}}, {"name": "data", **volume}],
            },
        }


def _probes(request: Mapping[str, Any]) -> dict[str, Any]:
    """Probes of a node: Ray decides that a node is lost much earlier than the kubelet ends it."""
    probe = {"httpGet": dict(request), "periodSeconds": 5, "timeoutSeconds": 5}
    return {
        "startupProbe": {**probe, "failureThreshold": 60},
        "readinessProbe": {**probe, "failureThreshold": 3},
        "livenessProbe": {**probe, "failureThreshold": 24},
    }
