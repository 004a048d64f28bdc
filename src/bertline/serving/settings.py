"""The settings that the core reads: limits and timeouts. The service defines their defaults and checks."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class CoreSettings(Protocol):
    """The settings of the core; ``service.settings.ServeSettings`` implements and describes them."""

    @property
    def engine(self) -> str | None:
        """Name of the engine, as for ``model_names.engine_of``; None: each bundle's default."""

    @property
    def lanes(self) -> int | None:
        """Batches computed at a time; None: one per core."""

    @property
    def require_signed_by(self) -> tuple[Path, ...]:
        """Public key files, one of which must have signed each bundle; empty: signatures are not required."""

    @property
    def max_batch_texts(self) -> int:
        """Maximum number of texts per request."""

    @property
    def max_chars(self) -> int:
        """Maximum number of characters per text."""

    @property
    def max_request_tokens(self) -> int:
        """Maximum number of tokens per request."""

    @property
    def max_wait_ms(self) -> float:
        """Maximum wait: a request that would wait longer is refused."""

    @property
    def request_timeout_ms(self) -> float:
        """Default time limit for an answer."""

    @property
    def worker_timeout_s(self) -> float:
        """Time limit for a batch."""
