"""Figures on the disk, so that an interrupted benchmark goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts.machine import describe

FOLDER = Path("build/benchmarks/serve")
Record = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """What was measured under ``key``: figures of another key, of other step lengths or another bundle, are no answer.

    ``again`` measures everything anew.
    """

    key: Mapping[str, Any]
    again: bool = False

    def find(self, mode: str, name: str) -> Record | None:
        """The record of a server, None if there is none under this key."""
        path = _path(mode, name)
        if not path.exists():
            return None
        found: Record = json.loads(path.read_text(encoding="utf-8"))
        return found if found["key"] == self.key else None

    def or_measure(self, mode: str, name: str, measure: Callable[[], Record]) -> Record:
        """The record that is there, or a new one with the machine and how busy it was before."""
        found = None if self.again else self.find(mode, name)
        if found is not None:
            print(f"  {mode} of {name}: kept in {_path(mode, name)}", flush=True)
            return found
        busy = os.getloadavg()[0]
        made: Record = {"key": dict(self.key), "machine": describe(), "load_before": round(busy, 2), **measure()}
        path = _path(mode, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(made, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(path)
        return made


def _path(mode: str, name: str) -> Path:
    return FOLDER / f"{mode}-{name}.json"
