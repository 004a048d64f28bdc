"""A Helm chart of one bundle: fixed templates, and values with the bundle's own figures.

The templates are package files, so that Helm's own tools can read them. Rules and dashboards come from the server's
tables of metrics, and the names of settings from its models: a chart cannot name a thing that this version does not
have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from bertline import __version__
from bertline.bundle import Bundle
from bertline.deploy import templates
from bertline.deploy.measured import MIB, ServerFigures
from bertline.deploy.measuring import example_of
from bertline.errors import UsageError
from bertline.lifecycle.rollout.plan import Plan
from bertline.monitoring.dashboards import grafana, prometheus
from bertline.monitoring.dashboards.objectives import SLOW_S
from bertline.monitoring.logs.settings import LogSettings
from bertline.monitoring.traces.exporter import TraceSettings
from bertline.registry.fetch.settings import StoreSettings
from bertline.service.edge.proxies import EdgeSettings
from bertline.service.guard.settings import AuthSettings
from bertline.service.limits.settings import LimitSettings
from bertline.service.settings import ServeSettings

UID = 65532  # of the image's user
CPU_UTILISATION = 70  # percent: room for a replica that is lost, until another one has started
MEMORY_REQUEST, MEMORY_LIMIT = 1.25, 2.0  # times the measured peak
BUNDLES = 4  # in the directory for pulled ones: champion, challenger, the champion before, and one that arrives
PLACE = "/models"  # where deploy image puts bundles

# Components of the server's settings, and those that the chart sets itself or takes from a Secret.
SETTINGS: Mapping[str, type[BaseModel]] = {
    "serve": ServeSettings, "auth": AuthSettings, "limits": LimitSettings, "edge": EdgeSettings, "logs": LogSettings,
    "traces": TraceSettings, "store": StoreSettings, "rollout": Plan,
}  # fmt: skip
OWN = {
    "serve": {
        "host", "port", "insecure", "drain_s", "shutdown_timeout_s", "stop_grace_s", "request_timeout_ms",
    },
    "auth": {"database", "terms"},
    "limits": {"store_url", "clients"},
    "store": {"cache"},
}  # fmt: skip

_REFERENCE = re.compile(
    r"(?P<repository>[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._/-]+)*?)(?::(?P<tag>[A-Za-z0-9_.-]{1,128}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class Image(NamedTuple):
    """Where the cluster pulls the image from; empty parts are set when the chart is installed."""

    repository: str
    tag: str = ""
    digest: str = ""


def image_of(reference: str) -> Image:
    """The parts of an image's reference.

    Raises:
        UsageError: it is not one.

    >>> image_of("registry.example.com:5000/reviews:3")
    Image(repository='registry.example.com:5000/reviews', tag='3', digest='')
    """
    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        raise UsageError(f"{reference} is not an image: write registry/name:tag or registry/name@sha256:…")
    return Image(parts["repository"], parts["tag"] or "", parts["digest"] or "")


def chart_name(name: str) -> str:
    """A model's name as the name of a chart and of Kubernetes' objects.

    >>> chart_name("Bge-small_v1.5")
    'bge-small-v1-5'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
    return plain if plain[:1].isalpha() else f"model-{plain}".rstrip("-")


def files(
    bundle: Bundle, measured: ServerFigures, image: Image | None = None, version: str = __version__
) -> dict[str, str]:
    """The files of the chart by path.

    Args:
        bundle: that the chart deploys.
        measured: figures of one server.
        image: that the cluster pulls; None: named when the chart is installed.
        version: of the chart, a semantic one.
    """
    name = chart_name(bundle.manifest.name)
    values = _values(bundle, measured, image or Image(f"registry.example.com/{name}"), name) | {
        "chart_version": version
    }
    filled = {"Chart.yaml", "values.yaml"}
    texts = {
        path: templates.fill(text, values) if path in filled else text for path, text in templates.read("chart").items()
    }
    dashboards = {
        path.removeprefix("grafana/"): text for path, text in grafana.files().items() if path.endswith(".json")
    }
    return {
        **texts,
        "values.schema.json": json.dumps(_schema(json.loads(texts["values.schema.json"])), indent=2) + "\n",
        "files/rules.yaml": prometheus.rules_of_job("RELEASE_JOB", "RUNBOOK_URL"),
        **{f"files/{path}": text for path, text in dashboards.items()},
    }


def _values(bundle: Bundle, measured: ServerFigures, image: Image, name: str) -> dict[str, str]:
    manifest = bundle.manifest
    size_bytes = sum(one.bytes for one in manifest.files.values())
    return {
        "bertline": __version__,
        "cache": f"{-(-BUNDLES * size_bytes // MIB) + 16}Mi",
        "chart": name,
        "cpu_utilization": str(CPU_UTILISATION),
        "description": json.dumps(f"The model {manifest.name} ({manifest.task.task}) behind an HTTP API"),
        "digest": image.digest,
        "in_flight": str(measured.target_in_flight),
        "in_flight_reason": _reason(measured),
        "load_s": f"{measured.load_s:.1f}",
        "measured": f"Measured on {measured.date} with {measured.machine}, engine {measured.engine}: "
        f"{measured.throughput_rps:g} requests per second, ready after {measured.load_s:.1f} s, "
        f"peak of memory {measured.memory_bytes / MIB:.0f} MiB.",
        "memory_limit": measured.mebibytes(MEMORY_LIMIT),
        "memory_peak": f"{measured.memory_bytes / MIB:.0f} MiB",
        "memory_request": measured.mebibytes(MEMORY_REQUEST),
        "name": json.dumps(manifest.name),
        "path": json.dumps(f"{PLACE}/{manifest.name}"),
        "queue_s": f"{SLOW_S / 2:g}",
        "repository": image.repository,
        "settings": _settings(bundle, measured),
        "startup_s": str(measured.startup_s),
        "tag": image.tag,
        "test_body": json.dumps(example_of(bundle)),
        "threads": str(measured.threads),
        "uid": str(UID),
        "version": bundle.version,
    }


def _settings(bundle: Bundle, measured: ServerFigures) -> str:
    """The figures are those of one engine: a plan may choose another than the one that the server would take."""
    names = [one.name for one in bundle.manifest.engines]
    if measured.engine in names[1:]:
        return json.dumps({"serve": {"engine": measured.engine}})
    return "{}"


def _reason(measured: ServerFigures) -> str:
    if measured.in_flight is None:
        return f"two for each of {measured.threads} cores; not measured"
    return f"with so many, a server reached most of its {measured.throughput_rps:g} requests per second"


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the names of all settings, so that a misspelt one is refused before it is deployed."""
    plain = {"type": ["string", "number", "boolean", "array"]}
    components = {
        component: {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: plain | ({"description": field.description} if field.description else {})
                for name, field in model.model_fields.items()
                if name not in OWN.get(component, ())
            },
        }
        for component, model in SETTINGS.items()
    }
    schema["properties"]["settings"] = {"type": "object", "additionalProperties": False, "properties": components}
    return schema
