"""Accounts in the memory of this process: the fastest, gone with the process, and not shared with others."""

from __future__ import annotations

from collections import OrderedDict

from bertline.service.limits.buckets import Account, Charge, Return, charged, returned
from bertline.service.limits.store import Outcome

MOST_CLIENTS = 100_000  # about 40 MB


class InMemory:
    """A ``Store`` that keeps at most ``most_clients`` accounts; the one that was idle for longest goes first."""

    def __init__(self, most_clients: int = MOST_CLIENTS) -> None:
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._most_clients = most_clients

    def __len__(self) -> int:
        return len(self._accounts)

    async def charge(self, charge: Charge) -> Outcome:
        """See ``Store``; nothing here can fail or wait."""
        client = charge.client
        found = self._accounts.get(client)
        account, granted = charged(found, charge)
        if granted:
            self._accounts[client] = account
        if found is not None:
            self._accounts.move_to_end(client)
        elif len(self._accounts) > self._most_clients:
            self._accounts.popitem(last=False)
        return account, granted

    async def give_back(self, giving: Return) -> None:
        """See ``Store``."""
        account = self._accounts.get(giving.client)
        if account is not None:
            self._accounts[giving.client] = returned(account, giving)

    async def close(self) -> None:
        """Nothing to leave."""
