"""What the core needs to know: limits and times of computing. Defaults and checks are those of whoever serves."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class CoreSettings(Protocol):
    """The settings of the core; ``service.settings.ServeSettings`` has them, described, with those of HTTP."""

    @property
    def engine(self) -> str | None:
        """Name of the bundles' engine; None is each bundle's choice."""

    @property
    def lanes(self) -> int | None:
        """Batches computed at a time; None is one per core."""

    @property
    def require_signed_by(self) -> tuple[Path, ...]:
        """Files of public keys, one of which must have signed a bundle; empty asks for no signature."""

    @property
    def max_batch_texts(self) -> int:
        """Most texts of a request."""

    @property
    def max_chars(self) -> int:
        """Most characters of a text."""

    @property
    def max_request_tokens(self) -> int:
        """Most tokens of a request."""

    @property
    def max_wait_ms(self) -> float:
        """A request that would wait longer is refused."""

    @property
    def request_timeout_ms(self) -> float:
        """Time for an answer where the client names none."""

    @property
    def worker_timeout_s(self) -> float:
        """Longest time for a batch."""
