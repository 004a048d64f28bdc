from __future__ import annotations

from bertline.deploy.chart import Image
from bertline.deploy.ray_pods import HEAD, SUBMITTER, Pods
from tests.unit.deploy.charts import DIGEST

PODS = Pods("nightly", Image("hub/batch", "1", DIGEST), "shared", "keys", "reader", {"AWS_REGION": "eu-central-1"})
ALL = (PODS.head(), PODS.worker(4, "6Gi", 2), PODS.submitter())


def test_every_pod_is_restricted_and_pinned() -> None:
    for template in ALL:
        pod = template["spec"]
        [one] = pod["containers"]
        assert template["metadata"]["labels"].items() >= PODS.selector.items()
        assert one["image"] == f"hub/batch:1@{DIGEST}"
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["securityContext"]["runAsNonRoot"] is one["securityContext"]["runAsNonRoot"] is True
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["requests"] == one["resources"]["limits"]


def test_every_pod_has_the_volume_and_what_the_store_wants() -> None:
    for template in ALL:
        pod = template["spec"]
        [one] = pod["containers"]
        assert pod["volumes"][1] == {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}
        assert one["volumeMounts"][1] == {"name": "data", "mountPath": "/data"}
        assert one["envFrom"] == [{"secretRef": {"name": "keys"}}]
        assert {"name": "AWS_REGION", "value": "eu-central-1"} in one["env"]
        assert pod["serviceAccountName"] == "reader"
    plain = Pods("nightly", PODS.image).worker(1, "1Gi", 0)["spec"]
    assert plain["volumes"][1]["emptyDir"]
    assert "envFrom" not in plain["containers"][0]
    assert "serviceAccountName" not in plain


def test_nodes_are_asked_over_http_and_the_submitter_ends() -> None:
    head, worker, submitter = (one["spec"]["containers"][0] for one in ALL)
    assert (head["name"], submitter["name"]) == (HEAD, SUBMITTER)
    assert head["readinessProbe"]["httpGet"] == {"path": "/api/gcs_healthz", "port": "dashboard"}
    assert worker["livenessProbe"]["httpGet"] == {"path": "/api/local_raylet_healthz", "port": 52365}
    assert worker["resources"]["limits"] == {"cpu": "4", "memory": "6Gi", "nvidia.com/gpu": "2"}
    assert not [name for name in submitter if name.endswith("Probe")]
    assert ALL[2]["spec"]["restartPolicy"] == "Never"
