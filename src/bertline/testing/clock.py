"""A clock that stands still until a test moves it."""

from __future__ import annotations


class Clock:
    """Called, it says the time in seconds."""

    def __init__(self, now_s: float = 1_790_000_000) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s
