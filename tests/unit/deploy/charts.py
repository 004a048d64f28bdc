"""A bundle without files and its figures, for tests of what is written about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bertline.bundle import Bundle, Manifest
from bertline.deploy.chart import files
from bertline.deploy.measured import ServerFigures
from bertline.tasks import read_spec

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
MEASURED = ServerFigures(
    throughput_rps=210.5, load_s=2.9, memory_bytes=363 * 10**6, in_flight=4, threads=2, engine="fp32",
    machine="a processor, 2 cores", date="2026-11-29",
)  # fmt: skip
CLASSIFY = {"task": "classify", "problem": "single", "labels": ["bad", "good"]}


def bundle_of(name: str = "reviews", **spec: Any) -> Bundle:
    """A bundle of this name, whose task is to classify unless another one is given."""
    task = read_spec(spec or CLASSIFY)
    manifest = Manifest(name=name, task=task, max_tokens=64, truncation="head", pooling="cls", checksum="a1" * 32)
    return Bundle(Path("nowhere"), manifest)


def written(**changes: Any) -> dict[str, str]:
    """The files of the chart, with changes to the figures."""
    return files(bundle_of(), MEASURED.model_copy(update=changes))


def values_of(chart: dict[str, str], *cases: str) -> dict[str, Any]:
    """The chart's values, overridden by those of its files ``ci/*-values.yaml``, as Helm does it."""
    values = yaml.safe_load(chart["values.yaml"])
    for case in cases:
        values = merged(values, yaml.safe_load(chart[f"ci/{case}-values.yaml"]))
    return values


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Objects are merged, anything else replaced."""
    both = {name: merged(below[name], one) for name, one in above.items() if isinstance(below.get(name), dict)}
    return below | above | both
