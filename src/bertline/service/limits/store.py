"""The interface of the stores of accounts: memory, Redis or a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bertline.service.limits.buckets import Account, Charge, Refund

TIMEOUT_S = 0.25  # for one call; longer counts as an outage

Outcome = tuple[Account, bool]  # the account afterwards, and whether the charge was granted


class Outage(Exception):
    """The store does not answer; the message is only the type of its error, because the URL contains a password."""


class CounterStore(Protocol):
    """Accounts of clients."""

    async def charge(self, charge: Charge) -> Outcome:
        """Grant the charge as a whole, or leave the account as it is.

        Raises:
            Outage: the store does not answer.
        """

    async def refund(self, refund: Refund) -> None:
        """Subtract tokens from the account.

        Raises:
            Outage: the store does not answer.
        """

    async def close(self) -> None:
        """Close the connections."""


class SharedStore(Protocol):
    """A store outside this process. A call costs a round trip, so it takes several charges at once."""

    async def charge(self, charges: Sequence[Charge]) -> list[Outcome]:
        """Grant or refuse each charge, one after the other."""

    async def refund(self, refund: Refund) -> None:
        """See ``CounterStore``."""

    async def close(self) -> None:
        """See ``CounterStore``."""
