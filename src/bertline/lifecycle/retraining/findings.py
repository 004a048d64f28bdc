"""The last finding about drift on disk, so that the next look by a timer does not compare the same texts again.

It is used for the same texts, champion, settings and version of bertline alone; else texts are compared anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from bertline import __version__
from bertline.destination import as_destination_error, replace_file
from bertline.lifecycle.predictions.checks import DriftCheck
from bertline.lifecycle.retraining.drifted import DriftSource, Finding
from bertline.lifecycle.retraining.home import WHAT, Home

FILE = "finding.json"


def recalled(home: Home, source: DriftSource, champion: str) -> Finding | None:
    """The finding that an earlier process kept; None if there is none of this champion by these settings.

    Args:
        home: of the model.
        source: where findings come from.
        champion: digest of its bundle.
    """
    try:
        content = json.loads((home.path / FILE).read_bytes())
        if content["of"] != _of(source, champion):
            return None
        found, check = content["finding"], content["finding"]["check"]
        return Finding(**{**found, "check": None if check is None else DriftCheck(**check)})
    except (OSError, ValueError, TypeError, KeyError):  # there is none, or it was written by another version
        return None


def keep(home: Home, source: DriftSource, champion: str, found: Finding) -> None:
    """Replace the finding on disk, unless there was too little to look at.

    Args:
        home: of the model, which exists.
        source: where the finding comes from.
        champion: digest of its bundle.
        found: to keep.

    Raises:
        DestinationError: it cannot be written.
    """
    if found.evidence is not None:
        content = {"of": _of(source, champion), "finding": asdict(found)}
        with as_destination_error(home.path, WHAT):
            replace_file(home.path / FILE, (json.dumps(content) + "\n").encode())


def _of(source: DriftSource, champion: str) -> str:
    """Names all but the texts that a finding depends on."""
    parts = [__version__, champion, source.source, source.model, source.settings.drift_window, source.reading]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
