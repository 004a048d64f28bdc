"""An output directory that is recognised by its report: checked before the work, and written whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.bundle.swap import swap
from bertline.destination import as_destination_error, check_place
from bertline.errors import DestinationError


@dataclass(frozen=True)
class Output:
    """A directory to write.

    Attributes:
        out: its place.
        what: is written there, for messages: ``vocabulary``.
        report: name of the JSON file by which such a directory is recognised.
    """

    out: Path
    what: str
    report: str

    def check(self, *, overwrite: bool) -> None:
        """Whether it can be written.

        Raises:
            DestinationError: the name or the rights, or something is there already.
        """
        check_place(self.out, f"the {self.what}")
        if self.out.is_dir() and (self.out / self.report).is_file():
            if not overwrite:
                raise DestinationError(f"{self.out} has {self._one}: give another --out, or --overwrite to replace it")
        elif self.out.exists() and not (self.out.is_dir() and not any(self.out.iterdir())):
            raise DestinationError(f"{self.out} is not {self._one}'s directory: give another --out")

    @property
    def _one(self) -> str:
        return f"{'an' if self.what[0] in 'aeiou' else 'a'} {self.what}"

    def write(self, fill: Callable[[Path], None], figures: Mapping[str, Any]) -> None:
        """Put the whole directory in its place, or nothing; the caller has claimed it.

        Args:
            fill: writes the other files.
            figures: of the report.
        """
        final = self.out.resolve()
        staging = final.with_name(f".{final.name}.writing-{secrets.token_hex(4)}")
        with as_destination_error(self.out, f"the {self.what}"):
            try:
                staging.mkdir(parents=True)
                fill(staging)
                self.put(staging, figures)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def put(self, filled: Path, figures: Mapping[str, Any]) -> None:
        """Add the report to a directory with the other files, and move it to its place.

        Args:
            filled: the directory, on the same file system.
            figures: of the report.

        Raises:
            OSError: it cannot be moved.
        """
        final = self.out.resolve()
        report = json.dumps(figures, indent=1, ensure_ascii=False)
        (filled / self.report).write_text(report + "\n", encoding="utf-8")
        if final.exists():
            shutil.rmtree(swap(filled, final))
        else:
            filled.rename(final)
