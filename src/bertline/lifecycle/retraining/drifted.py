"""Whether texts have drifted: by what ``bertline drift --json`` printed, or by comparing a table of texts now."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.errors import DataError
from bertline.lifecycle.drift.run import drift_of_table
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.retraining.settings import RetrainSettings


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in some texts.

    Attributes:
        evidence: SHA-256 of the file that was read: the same file twice is one finding.
        drifted: whether texts differ, or labels show a drop of accuracy.
        p: the smallest p-value of the tests, adjusted for their number.
        sentence: what was found, for people.
    """

    evidence: str
    drifted: bool
    p: float
    sentence: str


def look(source: str, champion: Path, settings: RetrainSettings) -> Finding:
    """Read a finding, or make one.

    Args:
        source: a ``.json`` file that ``bertline drift --json`` printed, or a table of texts.
        champion: directory of the bundle to compare texts with.
        settings: how a table is read.

    Raises:
        DataError: the file is neither.
        BundleError: the champion carries no reference rows.
    """
    path = Path(source)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{source} cannot be read ({error.strerror}): give --drift what bertline drift --json printed, or a table"
        ) from None
    evidence = hashlib.sha256(raw).hexdigest()
    if path.suffix == ".json":
        return _finding(evidence, path.name, _parsed(raw, path))
    read = DriftSettings(text_column=settings.text_column, text_pair_column=settings.text_pair_column)
    read = read.model_copy(update={"query_column": settings.query_column, "skip_bad_rows": settings.skip_bad_rows})
    return _finding(evidence, path.name, drift_of_table(champion, source, read).drift.to_json(texts=False))


def _parsed(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(raw)
        if isinstance(content["drift"], str) and isinstance(content["tests"], list):
            return dict(content)
    except (ValueError, KeyError, TypeError):
        pass
    raise DataError(f"{path} is not what bertline drift --json prints: run it again, or give a table of texts")


def _finding(evidence: str, name: str, content: dict[str, Any]) -> Finding:
    labelled = content.get("labelled") or {}
    dropped = labelled.get("alarm") is not None
    p = min((float(one["adjusted"]) for one in content["tests"]), default=1.0)
    kind = content["drift"]
    words = {"texts": "texts have drifted", "labels": "shares of labels have shifted"}.get(kind, "no drift")
    if dropped:
        words = "labels show a drop of accuracy"
    return Finding(evidence, dropped or kind != "none", p, f"{name}: {words} (smallest p-value {p:.2g})")
