"""Accounts in the memory of this process: fastest, lost with the process, and not shared with others."""

from __future__ import annotations

from collections import OrderedDict

from bertline.service.limits.buckets import Account, Charge, Refund, apply_charge, apply_refund
from bertline.service.limits.store import Outcome

MOST_CLIENTS = 100_000  # about 40 MB


class MemoryStore:
    """A ``CounterStore`` of at most ``most_clients`` accounts; the least recently used is evicted first."""

    def __init__(self, most_clients: int = MOST_CLIENTS) -> None:
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._most_clients = most_clients

    def __len__(self) -> int:
        return len(self._accounts)

    async def charge(self, charge: Charge) -> Outcome:
        """See ``CounterStore``."""
        before = self._accounts.get(charge.client)
        account, is_granted = apply_charge(before, charge)
        if is_granted:
            self._accounts[charge.client] = account
        if before is not None:
            self._accounts.move_to_end(charge.client)
        elif len(self._accounts) > self._most_clients:
            self._accounts.popitem(last=False)
        return account, is_granted

    async def refund(self, refund: Refund) -> None:
        """See ``CounterStore``."""
        account = self._accounts.get(refund.client)
        if account is not None:
            self._accounts[refund.client] = apply_refund(account, refund)

    async def close(self) -> None:
        """Nothing to close."""
