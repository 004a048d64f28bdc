"""Every store does the sums of ``buckets.py``, grants a quota exactly once, and says when it is gone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from bertline.errors import SettingsError
from bertline.service.limits.buckets import DAY_US, MINUTE_US, Account, Charge, Refund, apply_charge, apply_refund
from bertline.service.limits.grouped import GroupedStore
from bertline.service.limits.in_memory import MemoryStore
from bertline.service.limits.store import CounterStore, Outage
from bertline.service.limits.stores import open_store
from tests.forked import FORKING
from tests.nightly import mostly_nightly
from tests.service.limited import demand, keep
from tests.service.postgres import cluster, new_database, postgres_url
from tests.service.redis_server import redis_server

__all__ = ["postgres_url"]

NOW_US = 1_790_000_000_000_000
SHARED = ("sqlite", "postgres", "redis")
FRESH = itertools.count()  # clients that no test has used


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here are sums, on whatever machine; that a store is not waited for is tested elsewhere."""
    for module in ("grouped", "in_database", "in_redis"):
        monkeypatch.setattr(f"bertline.service.limits.{module}.TIMEOUT_S", 5.0)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as server:
        yield server.url


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Of an empty store of the kind that the test is given."""
    if request.param == "memory":
        return None
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limits.db"
    if request.param == "postgres":
        return new_database(request.getfixturevalue("postgres_url"))
    found: str = request.getfixturevalue("redis_url")
    return found


@pytest.fixture
def opened(url: str | None) -> Iterator[tuple[asyncio.Runner, CounterStore]]:
    """A loop, and the store on it."""
    with asyncio.Runner() as runner:

        async def make() -> CounterStore:
            return open_store(url)

        store = runner.run(make())
        yield runner, store
        runner.run(store.close())


def fresh() -> str:
    return f"client {next(FRESH)}"


def whole_day(tokens: int, limit: int) -> Charge:
    return Charge(fresh(), NOW_US, 0, tokens, None, None, None, limit)


LIMIT = some.none() | some.sampled_from([1, 2, 7, 59, 60, 1000, 10**8 - 1, 10**8])
STEP = some.sampled_from([0, 1, 333, 999_999, MINUTE_US, DAY_US, -1, -3_000_000]) | some.integers(0, 2 * MINUTE_US)
ASKED = some.builds(
    Charge,
    some.sampled_from(["a", "b"]),
    STEP,  # the time since the one before
    some.integers(0, 3),
    some.sampled_from([0, 1, 5]) | some.integers(0, 200_000),
    LIMIT,
    LIMIT,
    LIMIT,
    LIMIT,
)
GIVEN = some.builds(Refund, some.sampled_from(["a", "b"]), some.sampled_from([0, 1]), some.integers(0, 9))


@pytest.mark.parametrize("url", ["memory", *SHARED], indirect=True)
def test_every_store_does_the_same_sums(opened: tuple[asyncio.Runner, CounterStore]) -> None:
    runner, store = opened

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some.lists(ASKED | GIVEN, min_size=1, max_size=12))
    def compare(steps: list[Charge | Refund]) -> None:
        model: dict[str, Account] = {}
        prefix, now_us = fresh(), NOW_US
        for step in steps:
            one = step._replace(client=f"{prefix} {step.client}")
            known = model.get(one.client)
            if isinstance(one, Refund):
                one = one._replace(day=NOW_US // DAY_US + one.day)
                runner.run(store.refund(one))
                if known:
                    model[one.client] = apply_refund(known, one)
                continue
            now_us += one.now_us
            one = one._replace(now_us=now_us)
            wanted = apply_charge(known, one)
            assert runner.run(store.charge(one)) == wanted
            if wanted[1]:
                model[one.client] = wanted[0]

    compare()


@pytest.mark.parametrize("url", ["memory", *SHARED], indirect=True)
def test_of_charges_that_come_together_each_is_decided_by_itself(opened: tuple[asyncio.Runner, CounterStore]) -> None:
    runner, store = opened
    charges = [whole_day(3, 100)] * 50 + [whole_day(3, 20)] * 10

    async def together() -> list[bool]:
        return [granted for _, granted in await asyncio.gather(*map(store.charge, charges))]

    granted = runner.run(together())
    assert granted == [True] * 33 + [False] * 17 + [True] * 6 + [False] * 4


@pytest.mark.parametrize("url", mostly_nightly(reversed(SHARED), always=2), indirect=True)
def test_several_processes_together_get_the_quota_exactly(url: str) -> None:
    charge = whole_day(7, 5000)
    with FORKING.Pool(4, initializer=keep, initargs=(FORKING.Barrier(4),)) as processes:
        got = processes.starmap(demand, [(url, charge)] * 4, chunksize=1)
        processes.close()
        processes.join()
    granted = sum(tokens for tokens, _ in got)
    assert granted <= 5000 <= granted + sum(unknown for _, unknown in got), got
    assert sum(tokens > 0 for tokens, _ in got) > 1, "only one process asked: nothing is shown"


@pytest.mark.parametrize("url", SHARED, indirect=True)
def test_a_restarted_server_continues_the_days_count(url: str) -> None:
    charge = whole_day(60, 100)

    async def ask() -> bool:
        store = open_store(url)
        try:
            return (await store.charge(charge))[1]
        finally:
            await store.close()

    assert [asyncio.run(ask()) for _ in range(2)] == [True, False]


def test_memory_evicts_the_least_recently_used_client() -> None:
    async def ask() -> list[bool]:
        store = MemoryStore(most_clients=2)
        found = []
        for client in ("ann", "bob", "ann", "eve", "ann", "bob"):
            charge = whole_day(1, 1)._replace(client=client)
            found.append((await store.charge(charge))[1])
        assert len(store) == 2
        return found

    assert asyncio.run(ask()) == [True, True, False, True, False, True]


def test_a_database_purges_old_accounts(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    charge = whole_day(1, 10)

    async def ask() -> None:
        store = open_store(f"sqlite:///{tmp_path}/limits.db")
        for client, days in (("old", 0), ("recent", 2), ("now", 3)):
            await store.charge(charge._replace(client=client, now_us=NOW_US + days * DAY_US))
        await store.close()

    asyncio.run(ask())
    with closing(sqlite3.connect(tmp_path / "limits.db")) as connection:
        assert connection.execute("SELECT client FROM bertline_limits ORDER BY 1").fetchall() == [("now",), ("recent",)]


async def outage(store: CounterStore, charge: Charge) -> str:
    with pytest.raises(Outage) as raised:
        await store.charge(charge)
    return str(raised.value)


def test_a_redis_that_hangs_or_is_gone_is_an_outage_until_it_is_back() -> None:
    charge = whole_day(1, 10)

    async def ask() -> None:
        store = open_store(server.url)
        assert (await store.charge(charge))[1]
        server.hang(on=True)
        await outage(store, charge)
        assert "a moment ago" in await outage(store, charge), "it is not asked again at once"
        server.hang(on=False)
        await asyncio.sleep(1.1)
        assert (await store.charge(charge))[1]
        server.stop()
        await outage(store, charge)
        await asyncio.sleep(1.1)
        await outage(store, charge)
        server.start()
        await asyncio.sleep(1.1)
        assert (await store.charge(charge))[1]
        await store.close()

    with redis_server() as server:
        asyncio.run(ask())


def test_a_postgres_that_is_gone_is_an_outage_until_it_is_back() -> None:
    charge = whole_day(1, 10)

    async def ask() -> None:
        store = open_store(server.url)
        account, _ = await store.charge(charge)
        server.stop()
        await outage(store, charge)
        server.start()
        await asyncio.sleep(1.1)
        after, granted = await store.charge(charge)
        assert granted
        assert after.tokens_today == account.tokens_today + 1
        await store.close()

    with cluster() as server:
        asyncio.run(ask())


class Stuck:
    """A shared store that never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def charge(self, charges: Any) -> Any:
        self.asked += 1
        await asyncio.Event().wait()

    async def refund(self, refund: Refund) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None: ...


def test_a_timeout_of_one_call_fails_all_waiting_charges() -> None:
    async def ask() -> int:
        stuck = Stuck()
        store = GroupedStore(stuck, timeout_s=0.01)
        found = await asyncio.gather(*(outage(store, whole_day(1, 9)) for _ in range(200)))
        assert {*found} == {"no answer in 0.01 s"}
        return stuck.asked

    assert asyncio.run(ask()) == 1


def test_closing_a_store_fails_waiting_charges() -> None:
    async def ask() -> None:
        store = GroupedStore(Stuck(), timeout_s=30)
        waiting = [asyncio.create_task(outage(store, whole_day(1, 9))) for _ in range(70)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await store.close()
        assert {*await asyncio.gather(*waiting)} == {"closed"}

    asyncio.run(ask())


@pytest.mark.parametrize(
    "url", ["mysql://ann:geheim@host/db", "ann:geheim@host", "", "postgresql://ann:geheim@host:x/"]
)
def test_a_url_of_no_store_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        open_store(url)
    assert "store_url of [limits]" in str(raised.value)
    assert "geheim" not in str(raised.value)
