"""The chart with the real Helm: every case is linted, rendered, and checked against schemas and checkov's rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.deploy.manifests import render
from bertline.errors import BertlineError
from bertline.service.settings import ServeSettings
from tests.deploy.kubernetes import (
    PLACE,
    faults_of_crds,
    faults_of_kubernetes,
    helm,
    of_kind,
    rendered,
    run,
    tool,
    write_chart,
)
from tests.service.watching import promtool
from tests.unit.deploy.charts import DIGEST, merged, written

pytestmark = pytest.mark.drill

CASES = sorted(path[3:-12] for path in written() if path.startswith("ci/"))
OPERATORS = ("keda.sh/", "monitoring.coreos.com/", "gateway.networking.k8s.io/", "external-secrets.io/")
IMAGE = {"image": {"repository": "registry.example.com/reviews", "digest": DIGEST}}
REGISTRY = {"kind": "registry", "address": "models:/reviews@champion", "registrySecret": {"name": "registry"}}
REACHED = {"networkPolicy": {"egress": {"modelSource": [{"cidr": "10.20.0.0/16", "port": 443}]}}}
PINNED = ("--set", f"image.digest={DIGEST}")
# Checks of checkov that a case may fail, and why.
REASONED = {
    ("laptop", "CKV_K8S_43"): "an image that was loaded by hand has no digest in a registry",
    ("laptop", "CKV_K8S_15"): "an image that was loaded by hand cannot be pulled",
    ("registry", "CKV_K8S_35"): "the database's URL is a setting, which servers read from the environment",
    ("init-container", "CKV_K8S_35"): "clients of object stores read keys from the environment",
}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chart(tmp_path_factory.mktemp("charts") / "reviews")


def case(chart: Path, name: str) -> tuple[str, str]:
    return "--values", str(chart / "ci" / f"{name}-values.yaml")


@pytest.mark.parametrize("name", CASES)
def test_a_case_passes_the_strict_lint(chart: Path, name: str) -> None:
    done = helm("lint", "--strict", chart, *case(chart, name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize("name", CASES)
def test_a_case_fits_the_schemas_of_kubernetes_and_of_the_operators(chart: Path, name: str, tmp_path: Path) -> None:
    objects = rendered(chart, *case(chart, name))
    assert len(objects) >= 5
    ours = [one for one in objects if one["apiVersion"].startswith(OPERATORS)]
    assert faults_of_crds(ours) == []
    assert faults_of_kubernetes([one for one in objects if one not in ours], tmp_path) == []


def test_the_schemas_see_faults(chart: Path, tmp_path: Path) -> None:
    objects = rendered(chart, *case(chart, "keda"))
    scaled, deployment = of_kind(objects, "ScaledObject"), of_kind(objects, "Deployment")
    scaled["spec"]["triggers"][0]["metadata"]["threshold"] = 4  # KEDA wants strings
    deployment["spec"]["template"]["spec"]["nodeSelectr"] = {}
    assert faults_of_crds([scaled]) == [
        "ScaledObject reviews: data/spec/triggers/0/metadata/threshold must be string"
    ]  # fmt: skip
    assert "nodeSelectr" in " ".join(faults_of_kubernetes([deployment], tmp_path))
    external = of_kind(rendered(chart, *case(chart, "gateway")), "ExternalSecret")
    external["spec"]["secretStoreRef"]["kind"] = "Vault"
    assert "ExternalSecret reviews-settings: data/spec/secretStoreRef/kind" in " ".join(faults_of_crds([external]))


def test_checkov_objects_to_nothing_without_a_reason(chart: Path, tmp_path: Path) -> None:
    for name in CASES:
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(rendered(chart, *case(chart, name))), "utf-8")
    done = run(
        [tool("venv/bin/checkov"), "--framework", "kubernetes", "--skip-download", "-d", tmp_path, "-o", "json"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    result = json.loads(done.stdout)
    failed = {(Path(one["file_path"]).stem, one["check_id"]) for one in result["results"]["failed_checks"]}
    assert failed == set(REASONED)
    assert result["summary"]["passed"] > 1500
    assert result["summary"]["parsing_errors"] == 0


@pytest.mark.parametrize("name", ["hpa", "keda"])
def test_an_autoscaler_alone_decides_about_replicas(chart: Path, name: str) -> None:
    objects = rendered(chart, *case(chart, name))
    assert "replicas" not in of_kind(objects, "Deployment")["spec"]
    assert of_kind(rendered(chart, *PINNED), "Deployment")["spec"]["replicas"] == 2


def test_keda_never_scales_by_the_queue_alone(chart: Path) -> None:
    spec = of_kind(rendered(chart, *case(chart, "keda")), "ScaledObject")["spec"]
    queries = [one["metadata"]["query"] for one in spec["triggers"]]
    assert queries == [
        'sum(clamp_min(avg_over_time(bertline_http_requests_in_progress{job="shop/reviews"}[1m]) - 1, 0))',
        'sum(avg_over_time(bertline_queue_seconds{job="shop/reviews"}[1m]))',
    ]
    assert all(isinstance(value, str) for one in spec["triggers"] for value in one["metadata"].values())
    assert (spec["minReplicaCount"], spec["fallback"]["replicas"]) == (2, 4)
    assert {one["metadata"]["ignoreNullValues"] for one in spec["triggers"]} == {"false"}  # no series: fall back


@pytest.mark.parametrize(
    ("name", "bundle"),
    [
        ("default", "/models/reviews"),
        ("address", f"s3://models/reviews@{DIGEST}"),
        ("pvc", "/models/reviews"),
        ("image-volume", "/models"),  # models push puts a bundle at the root
        ("init-container", "/models/bundle"),
        ("registry", "models:/reviews@champion"),
    ],
)
def test_the_server_serves_the_bundle_of_its_source(chart: Path, name: str, bundle: str) -> None:
    pod = of_kind(rendered(chart, *case(chart, name)), "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["serve", f"reviews={bundle}"]
    pulled = [one["args"] for one in pod.get("initContainers", ())]
    expected = [["models", "pull", f"s3://models/reviews@{DIGEST}", "--out", bundle]]
    assert pulled == (expected if name == "init-container" else [])


def test_values_reach_the_server_as_they_are(chart: Path, tmp_path: Path) -> None:
    """Helm reads numbers as floats, and would write a large one as 1.00066e+09."""
    serve = {"max_body_bytes": 40_000_000, "max_wait_ms": 2.5, "require_signed_by": ["/a", "/b"]}
    values = {"image": {"uid": 1_000_660_000}, "settings": {"serve": serve, "edge": {"strip_root_path": True}}}
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(merged(IMAGE, values)), encoding="utf-8")
    pod = of_kind(rendered(chart, "--values", path), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 1_000_660_000
    variables = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert variables.items() >= {
        ("BERTLINE_SERVE_MAX_BODY_BYTES", "40000000"), ("BERTLINE_SERVE_MAX_WAIT_MS", "2.5"),
        ("BERTLINE_SERVE_REQUIRE_SIGNED_BY", "/a,/b"), ("BERTLINE_EDGE_STRIP_ROOT_PATH", "true"),
    }  # fmt: skip
    settings = {
        name.lower().removeprefix("bertline_serve_"): value for name, value in variables.items() if "_SERVE_" in name
    }
    assert ServeSettings.model_validate(settings | {"require_signed_by": ["/a"]}).stop_grace_s == 55


def test_kedas_queries_count_what_the_replicas_have_to_do(chart: Path, tmp_path: Path) -> None:
    triggers = of_kind(rendered(chart, *case(chart, "keda")), "ScaledObject")["spec"]["triggers"]
    flight, queue = (one["metadata"]["query"] for one in triggers)
    labels = '{{job="shop/reviews",instance="{}"}}'
    series = {
        "bertline_http_requests_in_progress": ("1x4 7x20", "1x4 5x20"),  # one is the request for the metrics
        "bertline_queue_seconds": ("0x4 0.3x20", "0x4 0.1x20"),
    }
    expected = [("1m", flight, 0), ("5m", flight, 10), ("1m", queue, 0), ("5m", queue, 0.4)]
    story = {
        "interval": "15s",
        "input_series": [
            {"series": name + labels.format(place), "values": one}
            for name, values in series.items()
            for place, one in enumerate(values)
        ],
        "promql_expr_test": [
            {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}
            for at, expression, value in expected
        ],
    }
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [story]}), "utf-8")
    done = promtool("test", "rules", "queries.yml", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_every_pod_is_restricted(chart: Path, name: str) -> None:
    objects = rendered(chart, *case(chart, name))
    pods = [of_kind(objects, "Deployment")["spec"]["template"]["spec"]]
    pods += [one["spec"] for one in objects if one["kind"] == "Pod"]
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in (*pod["containers"], *pod.get("initContainers", ())):
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_registry_is_reached_by_its_secret_and_its_address(chart: Path) -> None:
    objects = rendered(chart, *case(chart, "registry"))
    server = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    [url] = [one for one in server["env"] if one["name"] == "BERTLINE_REGISTRY_URL"]
    assert url["valueFrom"] == {"secretKeyRef": {"name": "reviews-registry", "key": "url"}}
    assert {"name": "BERTLINE_ROLLOUT_MIN_REQUESTS", "value": "500"} in server["env"]
    assert {"name": "models", "mountPath": "/models", "readOnly": False} in server["volumeMounts"]
    policy = next(one for one in objects if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "reviews")
    database = {
        "to": [{"podSelector": {"matchLabels": {"app": "postgres"}}}],
        "ports": [{"port": 5432, "protocol": "TCP"}],
    }
    assert database in policy["spec"]["egress"]
    [test] = [one for one in objects if one["kind"] == "Pod"]
    assert {"name": "VERSION", "value": ""} in test["spec"]["containers"][0]["env"]  # the alias moves
    assert not [one for one in objects if one["kind"] in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")]


def test_a_canary_joins_the_service_of_the_stable_release(chart: Path) -> None:
    stable = of_kind(rendered(chart, *PINNED), "Service")["spec"]["selector"]
    objects = [one for one in yaml.safe_load_all(helm("template", "next", chart, *case(chart, "canary")).stdout) if one]
    labels = of_kind(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert stable.items() <= labels.items()
    own = of_kind(objects, "Service")
    assert own["metadata"]["name"] == "next-reviews"
    assert own["spec"]["selector"]["app.kubernetes.io/instance"] == "next"  # to try it alone
    assert not own["spec"]["selector"].items() <= stable.items()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"image": {"digest": ""}},
            "image.digest is empty, so registry.example.com/reviews could be replaced by other content: set "
            "image.digest to the sha256:… of the pushed image, or image.allowTag=true",
        ),
        (
            {"image": {"digest": "", "allowTag": True}},
            "image.digest and image.tag are both empty: set one of them for registry.example.com/reviews",
        ),
        (
            {"stop": {"graceSeconds": 44}},
            "stop.graceSeconds is 44, but stopping takes up to 44 s (preStopSeconds 5, drainSeconds 5, "
            "longestRequestSeconds 30, and 4 to end), so the kubelet would kill requests in progress: raise "
            "it to 45 or more",
        ),
        ({"model": {"source": {"kind": "pvc"}}}, "model.source.kind is pvc, but model.source.claim is empty: set it"),
        (
            {"model": {"source": {"kind": "address", "address": "s3://models/reviews"}}},
            "model.source.address is s3://models/reviews, which could be replaced by other content: end it with "
            "@sha256:…, as bertline models push prints it, or with the revision on the hub",
        ),
        (
            {"model": {"source": {"kind": "address", "address": f"s3://models/reviews@{DIGEST}"}}},
            "networkPolicy.egress.modelSource is empty, so the pods could not reach "
            f"s3://models/reviews@{DIGEST}: list its networks as {{cidr, port}}",
        ),
        (
            {"model": {"source": {"kind": "registry", "address": "models:/reviews@champion"}}, **REACHED},
            "model.source.kind is registry, but model.source.registrySecret.name is empty: name the Secret with the "
            "URL of the database that knows models:/reviews@champion",
        ),
        (
            {"model": {"source": REGISTRY}, **REACHED},
            "networkPolicy.egress.database is empty, so the pods could not reach the registry: list it as {to, port}",
        ),
        (
            {"model": {"source": REGISTRY}, "networkPolicy": {"enabled": False}, "canary": {"of": "reviews"}},
            "canary.of is reviews, but the servers of models:/reviews@champion roll versions out by themselves: use "
            "one of the two",
        ),
        (
            {"model": {"source": {"kind": "address", "address": "models:/reviews@champion"}}, **REACHED},
            "model.source.address is models:/reviews@champion, which does not fit model.source.kind address: "
            "models:/NAME@champion goes with registry, and s3://, oci:// and hf:// with address and initContainer",
        ),
        ({"model": {"source": {"address": "models:/reviews"}}}, "at '/model/source/address'"),
        ({"settings": {"rollout": {"min_request": 1}}}, "additional properties 'min_request' not allowed"),
        (
            {"model": {"source": {"kind": "imageVolume", "reference": "hub/reviews:1"}}},
            "model.source.reference is hub/reviews:1, which could be replaced by other content: end it with "
            "@sha256:…",
        ),
        (
            {"settings": {"auth": {"issuers": ["https://login.example.com"]}}},
            "auth.anonymous is true, but settings.auth names issuers or a database: set auth.anonymous=false",
        ),
        (
            {"auth": {"anonymous": False}},
            "auth.anonymous is false, but no credentials would be accepted: set settings.auth.issuers, or "
            "settingsSecret with [auth] database",
        ),
        (
            {"ingress": {"enabled": True, "host": "a.example"}},
            "an Ingress or HTTPRoute would expose the model without authentication: set auth.anonymous=false "
            "with settings.auth.issuers or settingsSecret, or auth.exposeAnonymous=true",
        ),
        (
            {"service": {"type": "LoadBalancer"}},
            "service.type is LoadBalancer, which would expose the model without authentication: set "
            "auth.anonymous=false with settings.auth.issuers or settingsSecret, or auth.exposeAnonymous=true",
        ),
        (
            {"settings": {"edge": {"allowed_hosts": ["models.example.com"]}}},
            "settings.edge.allowed_hosts would refuse helm test, which asks reviews: leave it out, because an "
            "Ingress or HTTPRoute routes by host name",
        ),
        (
            {
                "settings": {"edge": {"allowed_hosts": ["models.example.com", "reviews"]}},
                "monitoring": {"serviceMonitor": {"enabled": True}},
            },
            "settings.edge.allowed_hosts would refuse Prometheus, which asks the pods by their addresses: leave it "
            "out, because an Ingress or HTTPRoute routes by host name",
        ),
        (
            {"ingress": {"enabled": True}, "auth": {"exposeAnonymous": True}},
            "ingress.enabled needs ingress.host: set the name that clients use",
        ),
        (
            {"httpRoute": {"enabled": True}, "auth": {"exposeAnonymous": True}},
            "httpRoute.enabled needs httpRoute.gateway.name: set the Gateway that accepts the route",
        ),
        (
            {"externalSecret": {"enabled": True}},
            "externalSecret.enabled needs settingsSecret (the Secret to make), externalSecret.store.name and "
            "externalSecret.remoteKey: set the missing ones",
        ),
        (
            {"autoscaling": {"minReplicas": 4, "maxReplicas": 3}},
            "autoscaling.minReplicas is 4 and maxReplicas is 3: raise the latter",
        ),
        (
            {"rollout": {"maxSurge": "0%", "maxUnavailable": 0}},
            "rollout.maxSurge and rollout.maxUnavailable are both 0, so no pod could ever be replaced: raise "
            "one of them",
        ),
        ({"autoscaling": {"hpa": {"enabled": True}, "keda": {"enabled": True}}}, "at '/autoscaling': 'not' failed"),
        ({"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}, "at '/podDisruptionBudget': 'not' failed"),
        (
            {"autoscaling": {"hpa": {"cpuUtilization": -70}}},
            "at '/autoscaling/hpa/cpuUtilization': minimum: got -70, want 1",
        ),
        (
            {"settings": {"serve": {"max_wait": 1}}},
            "at '/settings/serve': additional properties 'max_wait' not allowed",
        ),
        ({"replicaCount": 3}, "additional properties 'replicaCount' not allowed"),
    ],
    ids=lambda one: "" if isinstance(one, str) else next(iter(one)),
)  # fmt: skip
def test_values_that_would_not_work_are_refused(
    chart: Path, values: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(merged(IMAGE, values)), encoding="utf-8")
    done = helm("template", "reviews", chart, "--values", path)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_the_rules_that_a_release_brings_fire_as_those_of_observe(chart: Path, tmp_path: Path) -> None:
    """Narrowed to the job of the stories, they are told the same stories."""
    from bertline.monitoring.dashboards.prometheus import JOB, RULE_TESTS, Scrape, files

    spec = of_kind(rendered(chart, *case(chart, "keda")), "PrometheusRule")["spec"]
    text = yaml.safe_dump(spec).replace("shop/reviews", JOB)
    (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
    shipped = files(Scrape())
    for path in RULE_TESTS.values():
        (tmp_path / Path(path).name).write_text(shipped[path], encoding="utf-8")
    assert promtool("check", "rules", "rules.yml", directory=tmp_path).returncode == 0
    done = promtool("test", "rules", *(Path(one).name for one in RULE_TESTS.values()), directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifests_for_kustomize_are_the_same_objects(
    chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("helm")
    monkeypatch.setenv("PATH", str(PLACE))
    values = [chart / "ci" / "keda-values.yaml"]
    for name, text in render(chart, "reviews", "shop", values).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    built = run([tool("kubectl"), "kustomize", tmp_path])
    assert built.returncode == 0, built.stderr
    expected = [one for one in rendered(chart, *case(chart, "keda")) if one["kind"] != "Pod"]  # the test is left out
    key = lambda one: (one["kind"], one["metadata"]["name"])  # noqa: E731
    assert sorted(yaml.safe_load_all(built.stdout), key=key) == sorted(expected, key=key)
    with pytest.raises(
        BertlineError, match=r"^\S+ cannot be rendered: image.digest is empty, so .*image.allowTag=true$"
    ):
        render(chart, "reviews", "shop")


def test_a_canary_admits_the_test_of_the_stable_release_whose_requests_it_gets(chart: Path) -> None:
    """Some of its requests reach pods of the canary, whose policy may admit nobody else of the namespace."""
    outside = ("--set-json", 'networkPolicy.from=[{"namespaceSelector": {}}]')
    tests = of_kind(rendered(chart, *PINNED), "Pod")["metadata"]["labels"]
    done = helm("template", "next", chart, "--namespace", "shop", *case(chart, "canary"), *outside)
    policy = next(
        one
        for one in yaml.safe_load_all(done.stdout)
        if one and one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "next-reviews"
    )
    admitted = [
        one["podSelector"]["matchLabels"] for one in policy["spec"]["ingress"][0]["from"] if "podSelector" in one
    ]
    assert [one.items() <= tests.items() for one in admitted] == [True]


@pytest.mark.parametrize("name", CASES)
def test_whoever_is_to_reach_the_pods_of_a_case_is_admitted(chart: Path, name: str) -> None:
    """A proxy and Prometheus run in namespaces of their own."""
    objects = rendered(chart, *case(chart, name))
    kinds = {one["kind"] for one in objects}
    policy = next(one for one in objects if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "reviews")
    namespaces = [
        one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for one in policy["spec"]["ingress"][0]["from"]
        if "namespaceSelector" in one
    ]
    needed = [("Ingress", "ingress-nginx"), ("HTTPRoute", "gateways"), ("ServiceMonitor", "monitoring")]
    assert namespaces == [namespace for kind, namespace in needed if kind in kinds]


def test_the_notes_say_what_to_do_next(chart: Path) -> None:
    def notes(*arguments: str) -> str:
        done = helm("install", "reviews", chart, "--namespace", "shop", "--dry-run=client", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:\n")[2]

    plain = notes(*PINNED)
    for line in (
        "kubectl -n shop rollout status deployment/reviews",
        "helm -n shop test reviews --logs",
        "No authentication: everybody whom the network policy admits can use the model.",
        "--field-manager=autoscaler",
        "Nothing watches the model yet",
        "helm -n shop rollback reviews --wait",
    ):
        assert line in plain
    assert "Canary: these pods answer beside those of reviews" in notes(
        *case(chart, "canary"), "--set", "nameOverride=x"
    )
    assert "models promote reviews:4 --canary --verdict /dev/stdin <verdict.json" in notes(*case(chart, "registry"))
    assert "content-type: application/json' -d '" in plain
    assert "-H 'authorization: Bearer KEY' -d '" in notes(*case(chart, "ingress"))
    closed = "so nothing outside reaches the model unless its proxy runs here: name the proxy in networkPolicy.from."
    assert closed not in notes(*case(chart, "ingress"))
    assert closed in notes(*case(chart, "ingress"), "--set-json", "networkPolicy.from=[]")
    unread = "otherwise name it in networkPolicy.metricsFrom."
    assert unread not in notes(*case(chart, "keda"))
    assert unread in notes(*case(chart, "keda"), "--set-json", "networkPolicy.metricsFrom=[]")
    assert "helm test is left out because it has no key" in notes(*case(chart, "gateway"))
    assert "https://models.example.com" in notes(*case(chart, "ingress"))
    assert "at 4 requests in flight or 0.1 s of queue" in notes(*case(chart, "keda"))
