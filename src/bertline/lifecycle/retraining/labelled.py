"""Where labelled rows come from that production collected; the store of predictions is one such place."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Labelled(Protocol):
    """Labelled rows of one model."""

    def export(self, target: Path) -> int:
        """Write all of them as JSON lines that ``train`` reads, the oldest first; returns their number.

        Without any row there is no file.

        Raises:
            BertlineError: they cannot be read or written.
        """
        ...
