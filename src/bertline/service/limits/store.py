"""Where accounts are kept: the seam between the limits and memory, Redis or a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bertline.service.limits.buckets import Account, Charge, Return

TIMEOUT_S = 0.25  # for one call; a request that waits longer for its limits is answered as in an outage

Outcome = tuple[Account, bool]  # the account afterwards, and whether the charge was granted


class Outage(Exception):
    """The store does not answer; the message is the kind of its error and nothing else, for the URL has a password."""


class CounterStore(Protocol):
    """Accounts of clients, charged by one process or several."""

    async def charge(self, charge: Charge) -> Outcome:
        """Grant the charge as a whole, or leave the account as it is.

        Raises:
            Outage: the store does not answer.
        """

    async def give_back(self, giving: Return) -> None:
        """Take tokens out of the account again.

        Raises:
            Outage: the store does not answer.
        """

    async def close(self) -> None:
        """Leave."""


class SharedStore(Protocol):
    """A store beyond this process. A call costs a round trip, so it takes several charges at once."""

    async def charge(self, charges: Sequence[Charge]) -> list[Outcome]:
        """Grant each of the charges or not, one after the other."""

    async def give_back(self, giving: Return) -> None:
        """See ``Store``."""

    async def close(self) -> None:
        """See ``Store``."""
