"""A version in lines for people: what it is, what it comes from, how good it is, where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bertline.bundle.engine import WORDS
from bertline.bundle.figures import figures
from bertline.bundle.signing import PublicKey
from bertline.bundle.verdict import SignatureState, SignedVerdict
from bertline.destination.checks import megabytes
from bertline.registry.catalogue import ModelVersion
from bertline.registry.verdicts import Kept

_LINEAGE = {"base_model": "base model", "parent": "parent", "teacher": "teacher", "adapted": "adapted"}


_SIGNED: dict[SignatureState, str] = {
    "unsigned": "unsigned",
    "unverified": "signed by key {}, not verified",
    "verified": "signed by key {}, verified",
    "wrong": "with a wrong signature by key {}",
}


def lines(
    version: ModelVersion,
    verdicts: Sequence[Kept] = (),
    names: Mapping[str, str] = MappingProxyType({}),
    trusted: Sequence[PublicKey] = (),
) -> Iterator[tuple[str, str]]:
    """Name and value of each line.

    Args:
        version: the version.
        verdicts: of gates on it, the newest first.
        names: of the bundles that it was compared with, by their digests; others are called by the digest.
        trusted: keys, by which signatures are verified.
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
    engines += [WORDS] if WORDS in (facts.get("metrics") or {}) else []
    for kept in verdicts:
        yield "gate", _changed(kept) if kept.signed is None else judged(kept.signed, names, trusted)
    if engines:
        yield "engines", ", ".join(engines)
    if facts.get("bytes"):
        yield "size", megabytes(facts["bytes"])
    if version.digest:
        yield "digest", version.digest
    if version.address:
        yield "address", version.address


def judged(
    signed: SignedVerdict, names: Mapping[str, str] = MappingProxyType({}), trusted: Sequence[PublicKey] = ()
) -> str:
    """What a gate decided, when, by how many rows, against whom, whether that is signed, and why."""
    verdict, keys = signed.verdict, ", ".join(one.key for one in signed.signatures)
    signature = _SIGNED[signed.signature(trusted)].format(keys)
    other = verdict.champion
    against = "without a champion" if other is None else f"against {names.get(other, other[:12])}"
    rows = "" if verdict.rows is None else f", {verdict.rows:,} rows"
    why = f": {verdict.reason}" if verdict.reason else ""
    return f"{verdict.decision}, {_when(verdict.created)}{rows}, {against}, {signature}{why}"


def _changed(kept: Kept) -> str:
    return (
        f"the verdict {kept.hash[:12]}, {_when(kept.created)}, was changed after it was written: do not rely on it, "
        "and restore the registry from a backup"
    )


def _when(created: str) -> str:
    return created.replace("T", " ").replace("Z", " UTC")


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
