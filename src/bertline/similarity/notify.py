"""Who listens to long work."""

from __future__ import annotations

from collections.abc import Callable

Notify = Callable[[str, int, int | None], object]  # what is done, how much of it, and of how many


def quiet(_what: str, _done: int, _of: int | None) -> None:
    """Nobody listens."""
