"""Which version of each model a request uses: one, from start to end, whatever is exchanged meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertline.serving.version import Version


class ChallengerFailed(Exception):
    """A challenger could not answer, and the champion can: the request is answered again, by that one."""


class Route:
    """The versions that a request uses.

    Args:
        key: of whoever sends it; requests with the same key use the same version of a rollout's two.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self.key = key
        self._versions: dict[str, Version] = {}

    def pinned(self, name: str) -> Version | None:
        """The version of a model that this request uses; None before it is chosen."""
        return self._versions.get(name)

    def pin(self, name: str, version: Version) -> None:
        """Choose it; a version is not stopped while a request uses it."""
        before = self._versions.get(name)
        if before is not version:
            version.users += 1
            self._versions[name] = version
            if before is not None:
                before.users -= 1

    def release(self) -> None:
        """The request has ended."""
        for version in self._versions.values():
            version.users -= 1
        self._versions.clear()


ROUTE: ContextVar[Route | None] = ContextVar("route", default=None)
