"""The directory of a model's runs: their records, the level that triggers are measured from, and a lock for one run.

``runs/ID/journal.json`` are the records, ``snapshots/SHA256`` the rows, ``state.json`` the state of the triggers.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from bertline.destination import as_destination_error, claim, replace_file
from bertline.errors import DestinationError
from bertline.lifecycle.retraining.journal import Journal, read
from bertline.registry.settings import data_directory

WHAT = "the runs of the model"
_STATE = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """What triggers remember between two looks.

    Attributes:
        drifts: times in a row that drift was found.
        evidence: SHA-256 of the texts or the file that was looked at last.
        armed: False after a run for drift, until texts are calm again or the champion is another.
        champion: digest of the champion at the last run that was judged.
        counted: new labelled rows at that run.
        falls: times in a row that accuracy had fallen.
        feedback: SHA-256 of the labels that were looked at last.
        steady: False after a run while accuracy had fallen, until labels are as right as expected, or until the
            champion is another.
        labels_since: predictions before that moment do not count for accuracy, in ISO 8601; None counts all.
    """

    drifts: int = 0
    evidence: str | None = None
    armed: bool = True
    champion: str | None = None
    counted: int = 0
    falls: int = 0
    feedback: str | None = None
    steady: bool = True
    labels_since: str | None = None


class Home:
    """The directory of one model.

    Args:
        directory: of all models; None is the user's data directory.
        model: by its name in the registry.
    """

    def __init__(self, directory: Path | None, model: str) -> None:
        self.path = (directory or data_directory() / "retraining").expanduser() / quote(model, safe=" ")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within: no other process retrains this model.

        Raises:
            DestinationError: another one does, which the message names; or nothing can be written there.
        """
        with as_destination_error(self.path, WHAT):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)  # rows are texts of users
        with claim(self.path / "retraining", WHAT):
            yield

    def folder(self, journal: Journal) -> Path:
        """Of a run."""
        return self.path / "runs" / journal.id

    def journals(self) -> list[Journal]:
        """Of all runs, the oldest first.

        Raises:
            DestinationError: one cannot be read.
        """
        folders = sorted((self.path / "runs").glob("*"))
        return [one for folder in folders if folder.is_dir() and (one := read(folder)) is not None]

    def unfinished(self) -> Journal | None:
        """The run that was interrupted; None if there is none."""
        return next((one for one in reversed(self.journals()) if one.outcome is None), None)

    def state(self) -> State:
        """Of the triggers.

        Raises:
            DestinationError: it cannot be read.
        """
        path = self.path / _STATE
        if not path.is_file():
            return State()
        try:
            return State(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DestinationError(f"{path} is not the state of triggers ({error}): remove it") from None

    def remember(self, state: State) -> None:
        """Replace the state.

        Raises:
            DestinationError: it cannot be written.
        """
        with as_destination_error(self.path, WHAT):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(self.path / _STATE, (json.dumps(asdict(state)) + "\n").encode())

    def tidy(self, keep: int) -> None:
        """Remove the rows and bundles of all but the newest runs; records, verdicts and pages stay."""
        journals = self.journals()
        kept, old = journals[-keep:], journals[:-keep]
        for one in old:
            for part in ("bundle", "feedback"):
                shutil.rmtree(self.folder(one) / part, ignore_errors=True)
        needed = {_snapshot(one.done) for one in kept}
        for folder in (self.path / "snapshots").glob("*"):
            if folder.name not in needed:
                shutil.rmtree(folder, ignore_errors=True)


def _snapshot(done: Mapping[str, Mapping[str, object]]) -> object:
    return done.get("snapshot", {}).get("sha256")
