"""Whether texts have drifted: by what ``bertline drift --json`` printed, or by comparing texts now.

The texts are those of a table, or of a store of predictions. Of a store, windows that follow one another are compared,
so that each look has other texts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bertline.errors import DataError
from bertline.lifecycle.drift.run import drift_of_store, drift_of_table
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.predictions.checks import DriftCheck, add_check
from bertline.lifecycle.predictions.store import open_store
from bertline.lifecycle.retraining.settings import RetrainSettings, period

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in some texts.

    Attributes:
        evidence: names what was looked at: the same twice is one finding. None if there was too little to look at.
        drifted: whether texts differ, or labels show a drop of accuracy.
        p: the smallest p-value of the tests, adjusted for their number.
        sentence: what was found, for people.
        check: what the store of predictions, whose texts these are, keeps of it; None if they are of a file.
    """

    evidence: str | None
    drifted: bool
    p: float
    sentence: str
    check: DriftCheck | None = None


@dataclass(frozen=True, slots=True)
class DriftSource:
    """Where findings come from.

    Attributes:
        source: a ``.json`` file that ``bertline drift --json`` printed, a table of texts, or the URL of a store.
        model: its name in the store.
        settings: how a table is read, and the store's windows.
    """

    source: str
    model: str
    settings: RetrainSettings

    def look(self, champion: Path, now: datetime, last: Finding | None = None) -> Finding:
        """Read a finding, or make one.

        Args:
            champion: directory of the bundle to compare texts with.
            now: in UTC.
            last: made with the same champion; it is the answer if nothing else is there to look at.

        Raises:
            DataError: the source is none of these.
            BundleError: the champion carries no reference rows.
            PredictionStoreError: the store cannot be read.
        """
        if "://" in self.source:
            return self._of_store(champion, now, last)
        path = Path(self.source)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}): give --drift what bertline drift --json printed, a table, "
                "or the URL of a store of predictions"
            ) from None
        evidence = hashlib.sha256(raw).hexdigest()
        if last is not None and last.evidence == evidence:
            return last
        if path.suffix == ".json":
            return _finding(evidence, path.name, _parsed(raw, path))
        found = drift_of_table(champion, self.source, self._reading())
        return _finding(evidence, path.name, found.drift.to_json(texts=False))

    def _of_store(self, champion: Path, now: datetime, last: Finding | None) -> Finding:
        length = period(self.settings.drift_window)
        end = _BEGINNING + (now - _BEGINNING) // length * length
        evidence = f"predictions before {end:%Y-%m-%d %H:%M:%S}"
        if last is not None and last.evidence == evidence:
            return last
        name = f"{self.settings.drift_window} of {evidence} UTC"
        try:
            with open_store(self.source) as store:
                found = drift_of_store(champion, store, self.model, self._reading(), (end - length, end))
        except DataError as error:  # too few predictions in the window
            return Finding(None, False, 1.0, f"{name}: {error}")
        content = {
            **found.drift.to_json(texts=False),
            "labelled": None,
        }  # --accuracy looks at all labels, late ones too
        finding = _finding(evidence, name, content)
        return replace(finding, check=found.check(self.model))

    @property
    def reading(self) -> dict[str, Any]:
        """How texts are read and compared, as plain JSON values."""
        return self._reading().model_dump(mode="json")

    def record(self, check: DriftCheck) -> None:
        """Keep a finding in the store where its texts are, so that metrics and the page show it.

        Raises:
            PredictionStoreError: the store cannot be written.
        """
        with open_store(self.source) as store:
            add_check(store, check)

    def _reading(self) -> DriftSettings:
        names = ("text_column", "text_pair_column", "query_column", "skip_bad_rows")
        return DriftSettings(**{name: getattr(self.settings, name) for name in names})


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
