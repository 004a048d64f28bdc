"""What KubeRay's v1 API takes of a RayJob, written after its reference: names of fields, types, and its own checks.

No package that tests may install has the CRD itself. The pods in it are Kubernetes' own, and are checked with its
schemas.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs

COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
POD = {"type": "object", "required": ["spec"]}
FLAG = {"type": "boolean"}


def _closed(required: tuple[str, ...], **fields: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [*required], "properties": fields}


HEAD = _closed(
    ("rayStartParams", "template"),
    rayStartParams=TEXTS, template=POD, headService={"type": "object"}, enableIngress=FLAG, serviceType=TEXT,
    resources=TEXTS, labels=TEXTS,
)  # fmt: skip
WORKERS = _closed(
    ("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
    groupName=TEXT, replicas=COUNT, minReplicas=COUNT, maxReplicas=COUNT, numOfHosts=COUNT, idleTimeoutSeconds=COUNT,
    rayStartParams=TEXTS, template=POD, scaleStrategy={"type": "object"}, suspend=FLAG, resources=TEXTS, labels=TEXTS,
)  # fmt: skip
CLUSTER = _closed(
    ("headGroupSpec",),
    headGroupSpec=HEAD, workerGroupSpecs={"type": "array", "items": WORKERS}, rayVersion=TEXT,
    authOptions=_closed((), mode={"enum": ["disabled", "token"]}, secretName=TEXT, enableK8sTokenAuth=FLAG),
    autoscalerOptions={"type": "object"}, enableInTreeAutoscaling=FLAG, gcsFaultToleranceOptions={"type": "object"},
    headServiceAnnotations=TEXTS, managedBy=TEXT, suspend=FLAG, upgradeStrategy={"type": "object"},
)  # fmt: skip
SPEC = _closed(
    (),
    activeDeadlineSeconds={"type": "integer", "minimum": 1}, backoffLimit=COUNT, clusterSelector=TEXTS,
    deletionStrategy={"type": "object"}, entrypoint=TEXT, entrypointNumCpus={"type": "number"},
    entrypointNumGpus={"type": "number"}, entrypointResources=TEXT, jobId=TEXT, managedBy=TEXT, metadata=TEXTS,
    rayClusterSpec=CLUSTER, runtimeEnvYAML=TEXT, shutdownAfterJobFinishes=FLAG,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
    submitterConfig=_closed((), backoffLimit=COUNT), submitterPodTemplate=POD, suspend=FLAG,
    ttlSecondsAfterFinished=COUNT,
)  # fmt: skip
RAYJOB = _closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"}, kind={"const": "RayJob"}, metadata={"type": "object"}, spec=SPEC,
)  # fmt: skip


def faults_of_rayjob(job: dict[str, Any]) -> list[str]:
    """What the API server and the operator would object to."""
    validator = jsonschema_rs.Draft202012Validator(RAYJOB)
    faults = [f"{'.'.join(map(str, one.instance_path))}: {one.message}" for one in validator.iter_errors(job)]
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,45}[a-z0-9])?", job["metadata"]["name"]):
        faults.append("metadata.name: at most 47 characters of a DNS label")
    cluster = job["spec"].get("rayClusterSpec", {})
    version = tuple(map(int, cluster.get("rayVersion", "0").split(".")))
    if cluster.get("authOptions", {}).get("mode") == "token" and version < (2, 52):
        faults.append("spec.rayClusterSpec.rayVersion: a token needs Ray 2.52.0")
    return faults


def pods_of(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The templates of its pods by the name of their container."""
    cluster = job["spec"]["rayClusterSpec"]
    templates = [cluster["headGroupSpec"]["template"], *(one["template"] for one in cluster["workerGroupSpecs"])]
    templates.append(job["spec"]["submitterPodTemplate"])
    return {one["spec"]["containers"][0]["name"]: one for one in templates}
