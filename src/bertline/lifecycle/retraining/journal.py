"""The record of a run on disk: which steps are done, what each found, and how the run ended.

A record is one JSON file, replaced atomically after each step. A step that was not recorded is done again, and each
step is written so that doing it again doubles nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bertline.destination import as_destination_error, replace_file
from bertline.errors import DestinationError

FILE = "journal.json"
WHAT = "the record of the run"  # in messages about where it goes
Outcome = Literal["challenger", "champion", "rejected", "failed", "given up"]


@dataclass(frozen=True, slots=True)
class Journal:
    """One run.

    Attributes:
        id: time of its start and a few random digits.
        model: by its name in the registry.
        began: in UTC, as ISO 8601.
        because: why it was due, a sentence each.
        champion: version that it is to improve on.
        digest: of the champion's bundle.
        settings: of the run; a continued one keeps them.
        done: what each step found, by the step's name, in their order.
        spent_s: seconds of training so far.
        outcome: how it ended; None while it has not.
        sentence: why it ended so.
        ended: in UTC.
    """

    id: str
    model: str
    began: str
    because: tuple[str, ...]
    champion: int
    digest: str
    settings: Mapping[str, Any]
    done: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    spent_s: float = 0.0
    outcome: Outcome | None = None
    sentence: str | None = None
    ended: str | None = None

    def with_step(self, name: str, facts: Mapping[str, Any]) -> Journal:
        """With a step that is done."""
        return replace(self, done={**self.done, name: dict(facts)})

    def over(self, outcome: Outcome, sentence: str, now: datetime) -> Journal:
        """Ended."""
        return replace(self, outcome=outcome, sentence=sentence, ended=stamp(now))

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


def new_id(now: datetime) -> str:
    """Of a run; ids sort by time."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def stamp(now: datetime) -> str:
    """A time as journals write it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def write(folder: Path, journal: Journal) -> None:
    """Replace the record in the folder of a run, which is made if it is missing.

    Raises:
        DestinationError: it cannot be written.
    """
    with as_destination_error(folder, WHAT):
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(journal.to_json(), indent=2, ensure_ascii=False) + "\n"
        replace_file(folder / FILE, content.encode())


def read(folder: Path) -> Journal | None:
    """The record in a folder; None if the run was killed before it had one.

    Raises:
        DestinationError: the file is not what ``write`` writes.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Journal(**{**content, "because": tuple(content["because"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DestinationError(f"{path} is not the record of a run ({error}): move its directory away") from None
