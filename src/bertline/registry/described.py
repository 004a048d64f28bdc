"""A version in lines for people: what it is, what it comes from, how good it is, where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bertline.bundle.figures import figures
from bertline.bundle.verdict import Verdict
from bertline.destination.checks import megabytes
from bertline.registry.catalogue import ModelVersion

_LINEAGE = {"base_model": "base model", "parent": "parent", "teacher": "teacher", "adapted": "adapted"}


def lines(
    version: ModelVersion, verdicts: Sequence[Verdict] = (), names: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[str, str]]:
    """Name and value of each line.

    Args:
        version: the version.
        verdicts: of gates on it, the newest first.
        names: of the bundles that it was compared with, by their digests; others are called by the digest.
    """
    facts = version.facts
    yield "model", str(version)
    yield "aliases", ", ".join(version.aliases) or "none"
    yield "added", version.added
    if version.task:
        yield "task", version.task
    if facts.get("created"):
        yield "written", f"{facts['created']} by bertline {facts.get('bertline_version')}"
    yield from _lineage(facts)
    yield from _data(facts.get("data") or {})
    if training := facts.get("training"):
        yield "settings", ", ".join(f"{name} {_short(value)}" for name, value in training.items())
    if version.run:
        yield "MLflow run", version.run
    yield from _figures(facts.get("metrics") or {})
    engines = [str(one.get("name")) for one in facts.get("engines") or ()]
    for verdict in verdicts:
        yield "gate", judged(verdict, names)
    if engines:
        yield "engines", ", ".join(engines)
    if facts.get("bytes"):
        yield "size", megabytes(facts["bytes"])
    if version.digest:
        yield "digest", version.digest
    if version.address:
        yield "address", version.address


def judged(verdict: Verdict, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a gate decided, when, by how many rows, against whom, and why."""
    when = verdict.created.replace("T", " ").replace("Z", " UTC")
    other = verdict.champion
    against = "without a champion" if other is None else f"against {names.get(other, other[:12])}"
    rows = "" if verdict.rows is None else f", {verdict.rows:,} rows"
    return f"{verdict.decision}, {when}{rows}, {against}{f': {verdict.reason}' if verdict.reason else ''}"


def _lineage(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in (facts.get("lineage") or {}).items():
        yield _LINEAGE.get(name, name.replace("_", " ")), _short(value)


def _data(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if data.get("source"):
        yield "data", str(data["source"])
    fingerprint = data.get("fingerprint")
    if isinstance(fingerprint, Mapping):
        yield "fingerprint", f"{fingerprint.get('sha256')} ({fingerprint.get('rows', 0):,} rows)"


def _figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(metrics.get("rows"), int):
        yield "test rows", f"{metrics['rows']:,}"
    for figure in figures(metrics).values():
        yield figure.title, f"{figure.text} ({figure.interval})" if figure.interval else figure.text


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_short(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(map(_short, value)) or "none"
    return str(value)
