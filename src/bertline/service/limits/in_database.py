"""Accounts in PostgreSQL or SQLite: a row per client, charged by one statement.

The statement is ``buckets.apply_charge`` in SQL: an upsert with all limits in its condition, so it is atomic. A refused
charge needs a second statement, which reads the account.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    NullPool,
    String,
    Table,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from bertline.service.limits.buckets import DAY_US, MICRO, MINUTE_US, Account, Charge, Refund, as_of
from bertline.service.limits.store import TIMEOUT_S, Outage, Outcome

Result = TypeVar("Result")

RETENTION_DAYS = 2  # an older account has no effect
UNLIMITED = 2**62
COLUMNS = ", ".join(Account._fields)

metadata = MetaData()
table = Table(
    "bertline_limits",
    metadata,
    Column("client", String, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in Account._fields),
)

# "?" stands for the database's function of the larger of two. A new row gets the debts and counts of the charge.
_ELAPSED = "?(0, :now_us - a.at_us)"
_MINUTE = f"(CASE WHEN {_ELAPSED} > {MINUTE_US} THEN {MINUTE_US} ELSE {_ELAPSED} END)"
_REQUESTS_DEBT = f"?(0, a.requests_debt - {_MINUTE} * :requests_rate / 60) + :requests_debt"
_TOKENS_DEBT = f"?(0, a.tokens_debt - {_MINUTE} * :tokens_rate / 60) + :tokens_debt"
_REQUESTS_TODAY = "(CASE WHEN :day > a.day THEN 0 ELSE a.requests_today END) + :requests_today"
_TOKENS_TODAY = "(CASE WHEN :day > a.day THEN 0 ELSE a.tokens_today END) + :tokens_today"
CHARGE = f"""
INSERT INTO bertline_limits AS a (client, {COLUMNS})
SELECT :client, :now_us, :requests_debt, :tokens_debt, :day, :requests_today, :tokens_today
WHERE :requests_debt <= :requests_minute AND :tokens_debt <= :tokens_minute
  AND :requests_today <= :requests_day AND :tokens_today <= :tokens_day
ON CONFLICT (client) DO UPDATE SET
  at_us = ?(a.at_us, :now_us),
  requests_debt = {_REQUESTS_DEBT},
  tokens_debt = {_TOKENS_DEBT},
  day = ?(a.day, :day),
  requests_today = {_REQUESTS_TODAY},
  tokens_today = {_TOKENS_TODAY}
WHERE (:requests_debt = 0 OR {_REQUESTS_DEBT} <= :requests_minute)
  AND (:tokens_debt = 0 OR {_TOKENS_DEBT} <= :tokens_minute)
  AND (:requests_today = 0 OR {_REQUESTS_TODAY} <= :requests_day)
  AND (:tokens_today = 0 OR {_TOKENS_TODAY} <= :tokens_day)
RETURNING {COLUMNS}
"""
REFUND = """
UPDATE bertline_limits SET tokens_today = ?(0, tokens_today - :tokens) WHERE client = :client AND day = :day
"""
READ = text(f"SELECT {COLUMNS} FROM bertline_limits WHERE client = :client")
PURGE = text("DELETE FROM bertline_limits WHERE day < :day")


class DatabaseStore:
    """A ``SharedStore`` with one connection in its own thread: the event loop never waits for it."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ValueError("not a URL") from None
        self._engine = _engine(url)
        larger = "MAX" if parsed.get_backend_name() == "sqlite" else "GREATEST"
        self._charge, self._refund = (text(one.replace("?", larger)) for one in (CHARGE, REFUND))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="limits")
        self._connection: Connection | None = None
        self._purged_day = -1

    async def charge(self, charges: Sequence[Charge]) -> list[Outcome]:
        """See ``SharedStore``; one transaction for all charges."""
        return await self._run(lambda connection: self._charge_all(connection, charges))

    async def refund(self, refund: Refund) -> None:
        """See ``CounterStore``."""
        await self._run(lambda connection: connection.execute(self._refund, refund._asdict()))

    async def close(self) -> None:
        """Close the connection, unless the database blocks the thread."""
        with suppress(TimeoutError):  # the system closes the connection when the process ends
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[Connection], Result]) -> Result:
        def run() -> Result:
            try:
                connection = self._connected()
                with connection.begin():
                    return work(connection)
            except SQLAlchemyError as error:
                self._disconnect()
                raise Outage(type(getattr(error, "orig", None) or error).__name__) from None

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _charge_all(self, connection: Connection, charges: Sequence[Charge]) -> list[Outcome]:
        today = max(charge.now_us for charge in charges) // DAY_US
        if today > self._purged_day:
            connection.execute(PURGE, {"day": today - RETENTION_DAYS})
            self._purged_day = today
        outcomes: dict[int, Outcome] = {}
        # Sorted by client: servers that lock the same rows in different orders would deadlock.
        for place in sorted(range(len(charges)), key=lambda one: charges[one].client):
            outcomes[place] = self._charge_one(connection, charges[place])
        return [outcomes[place] for place in range(len(charges))]

    def _charge_one(self, connection: Connection, charge: Charge) -> Outcome:
        row = connection.execute(self._charge, arguments(charge)).one_or_none()
        if row is not None:
            return Account(*row), True
        row = connection.execute(READ, {"client": charge.client}).one_or_none()
        account = Account(*row) if row else Account(charge.now_us, 0, 0, charge.now_us // DAY_US, 0, 0)
        return as_of(account, charge), False

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # it is lost anyway
                connection.close()


def arguments(charge: Charge) -> dict[str, int | str]:
    """The parameters of the statement. Without a limit, nothing is added and nothing refills."""
    requests_minute, tokens_minute = charge.requests_per_minute, charge.tokens_per_minute
    requests_day, tokens_day = charge.requests_per_day, charge.tokens_per_day
    return {
        "client": charge.client,
        "now_us": charge.now_us,
        "day": charge.now_us // DAY_US,
        "requests_debt": 0 if requests_minute is None else charge.requests * MICRO,
        "requests_rate": requests_minute or 0,
        "requests_minute": UNLIMITED if requests_minute is None else requests_minute * MICRO,
        "tokens_debt": 0 if tokens_minute is None else charge.tokens * MICRO,
        "tokens_rate": tokens_minute or 0,
        "tokens_minute": UNLIMITED if tokens_minute is None else tokens_minute * MICRO,
        "requests_today": 0 if requests_day is None else charge.requests,
        "requests_day": UNLIMITED if requests_day is None else requests_day,
        "tokens_today": 0 if tokens_day is None else charge.tokens,
        "tokens_day": UNLIMITED if tokens_day is None else tokens_day,
    }


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        # Shorter than the timeout, so that the thread is free again when the request is answered.
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 0.8 * TIMEOUT_S})
        event.listen(engine, "connect", _tune_sqlite)
        return engine
    limits = {
        "connect_timeout": 2,  # seconds, libpq's minimum
        "tcp_user_timeout": 1000,  # milliseconds, for a connection whose peer is gone
        "options": f"-c statement_timeout={1000 * TIMEOUT_S:.0f}",
    }
    return create_engine(url, poolclass=NullPool, connect_args=limits)


def _tune_sqlite(connection: Any, _: object) -> None:
    """Use write-ahead logging, so that a charge does not wait for the disk; a crash of the process loses nothing."""
    with suppress(sqlite3.OperationalError):  # another process holds the lock; it works without WAL too
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _prepare(connection: Connection) -> None:
    with connection.begin():
        missing = not inspect(connection).has_table(table.name)
    if missing:
        # Another server may be creating it at the same time; if it is still missing, the first charge fails.
        with suppress(SQLAlchemyError), connection.begin():
            connection.execute(CreateTable(table, if_not_exists=True))
