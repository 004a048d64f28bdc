"""API keys: whose they are, when they are refused, and what an outage of their database changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from bertline.service.guard import api_keys as module
from bertline.service.guard import credentials
from bertline.service.guard.api_keys import ApiKeys, new_key
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.store import CredentialStore
from bertline.service.problems import STATUS
from bertline.serving.problems import Code, Problem
from bertline.testing.clock import Clock
from tests.service.postgres import cluster

SCOPES = frozenset({Scope.PREDICT, Scope.METRICS})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CredentialStore]:
    with CredentialStore(f"sqlite:///{tmp_path / 'auth.db'}") as one:
        yield one


@pytest.fixture
def keys(store: CredentialStore, clock: Clock) -> ApiKeys:
    return ApiKeys(store, clock=clock, now=clock)


def added(store: CredentialStore, clock: Clock, lifetime_s: int | None = None) -> str:
    record, text = new_key("dashboard", SCOPES, now_s=int(clock()), lifetime_s=lifetime_s)
    store.add_api_key(record)
    return text


async def refusal(keys: ApiKeys, key: str) -> Problem:
    with pytest.raises(Problem) as caught:
        await keys.client(key)
    return caught.value


def test_a_key_identifies_a_client_by_its_public_prefix(store: CredentialStore, clock: Clock, keys: ApiKeys) -> None:
    key = added(store, clock)
    assert asyncio.run(keys.client(key)) == Client(key[:11], SCOPES, "key")


def test_a_key_works_at_once_although_the_table_was_read_before(
    store: CredentialStore, clock: Clock, keys: ApiKeys
) -> None:
    async def story() -> None:
        await keys.client(added(store, clock))
        clock.now_s += 1
        await keys.client(added(store, clock))

    asyncio.run(story())


def test_a_revoked_key_is_refused_in_every_process_within_five_seconds(
    store: CredentialStore, clock: Clock, keys: ApiKeys
) -> None:
    other = ApiKeys(store, clock=clock, now=clock)
    key = added(store, clock)

    async def story() -> None:
        await keys.client(key)
        await other.client(key)
        store.revoke_api_key(key[:11], int(clock()))
        clock.now_s += 2  # the table is young: nobody asked the database
        await keys.client(key)
        clock.now_s += 3
        for one in (keys, other):
            problem = await refusal(one, key)
            assert problem.code is Code.INVALID_CREDENTIALS
            assert problem.message == "The API key was revoked: ask the operator of this service for another one."

    asyncio.run(story())


def test_a_key_is_refused_from_the_second_on_in_which_it_expires(
    store: CredentialStore, clock: Clock, keys: ApiKeys
) -> None:
    key = added(store, clock, lifetime_s=2)

    async def story() -> None:
        clock.now_s += 1.9
        await keys.client(key)
        clock.now_s += 0.1  # the table is young, and nobody reads it again
        assert (await refusal(keys, key)).message.startswith("The API key has expired")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"), "mistyped or cut short: copy it again"),
        (lambda key: key[:-1], "mistyped or cut short"),
        (lambda key: "", "mistyped or cut short"),
        (lambda key: "bl_é" + "\0" * 56, "mistyped or cut short"),
        (lambda key: "x" * 100_000, "mistyped or cut short"),
        (lambda key: credentials.new(credentials.API_KEY).text, "is unknown"),
        (lambda key: credentials.new(credentials.CLIENT).text, "mistyped or cut short"),
    ],
)
def test_an_invalid_key_is_rejected_in_one_sentence_with_a_challenge(
    change: object, sentence: str, store: CredentialStore, clock: Clock, keys: ApiKeys
) -> None:
    assert callable(change)
    problem = asyncio.run(refusal(keys, change(added(store, clock))))
    assert STATUS[problem.code] == 401
    assert sentence in problem.message
    challenge = f'Bearer error="invalid_token", error_description="{problem.message}"'
    assert problem.headers == {"WWW-Authenticate": challenge}
    assert challenge.isascii()


def test_another_secret_with_the_id_of_a_key_is_refused_like_an_unknown_one(
    store: CredentialStore, clock: Clock, keys: ApiKeys
) -> None:
    key = added(store, clock)
    body = key[:12] + credentials.new(credentials.API_KEY).text[12:55]
    forged = body + credentials._check(body)
    assert credentials.id_of(forged, credentials.API_KEY) == key[:11]
    unknown = asyncio.run(refusal(keys, credentials.new(credentials.API_KEY).text))
    assert asyncio.run(refusal(keys, forged)).message == unknown.message


def test_an_unknown_key_is_compared_like_a_known_one(
    store: CredentialStore, clock: Clock, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str | None] = []
    real = credentials.matches

    def spy(text: str, kept: str | None) -> bool:
        compared.append(kept)
        return real(text, kept)

    monkeypatch.setattr(credentials, "matches", spy)
    asyncio.run(keys.client(key := added(store, clock)))
    asyncio.run(refusal(keys, credentials.new(credentials.API_KEY).text))
    assert compared == [credentials.digest(key), None]


def test_unknown_keys_have_the_table_read_once_a_second_at_most(
    store: CredentialStore, clock: Clock, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0
    real = store.api_keys

    def counted() -> object:
        nonlocal readings
        readings += 1
        return real()

    monkeypatch.setattr(store, "api_keys", counted)

    async def story() -> None:
        for _ in range(3):
            unknown = [credentials.new(credentials.API_KEY).text for _ in range(30)]
            await asyncio.gather(*(refusal(keys, one) for one in unknown))
            clock.now_s += 1

    asyncio.run(story())
    assert readings == 3


def test_the_day_of_the_last_use_is_written_once_a_day(
    store: CredentialStore, clock: Clock, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    days: list[date] = []
    real = store.api_key_used

    def spy(id: str, day: date) -> None:
        days.append(day)
        real(id, day)

    monkeypatch.setattr(store, "api_key_used", spy)

    async def story() -> None:
        key = added(store, clock)
        assert store.api_keys()[0].last_used is None
        for _ in range(2):
            for _ in range(3):
                await keys.client(key)
            await asyncio.gather(*keys._writes)
            clock.now_s += 86_400

    asyncio.run(story())
    first = date(2026, 9, 21)
    assert days == [first, first.replace(day=22)]
    assert store.api_keys()[0].last_used == days[-1]


def test_a_use_that_cannot_be_recorded_is_a_warning_only(
    store: CredentialStore, clock: Clock, keys: ApiKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        key = added(store, clock)
        await keys._table.get()
        (tmp_path / "auth.db").rename(tmp_path / "away.db")
        await keys.client(key)
        await asyncio.gather(*keys._writes)
        assert f"The last use of API key {key[:11]} was not recorded" in caplog.text
        assert key[12:] not in caplog.text

    asyncio.run(story())


def test_cached_keys_work_while_postgresql_is_down_and_new_ones_when_it_is_back(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with cluster() as server, CredentialStore(server.url) as store:
        keys = ApiKeys(store, clock=clock, now=clock)
        key = added(store, clock)

        async def story() -> None:
            await keys.client(key)
            await asyncio.gather(*keys._writes)
            server.stop()
            for minute in (0, 1, 30):
                clock.now_s += 60 * minute + 6
                await keys.client(key)
                assert keys._table._reading is not None
                await keys._table._reading
            unknown = credentials.new(credentials.API_KEY).text
            assert (await refusal(keys, unknown)).code is Code.INVALID_CREDENTIALS
            assert [one.levelname for one in caplog.records] == ["WARNING"]
            clock.now_s += 3600
            assert (await refusal(keys, key)).code is Code.NOT_READY
            server.start()
            clock.now_s += 5
            await keys.client(added(store, clock))
            await keys.client(key)
            await asyncio.gather(*keys._writes)

        asyncio.run(story())


def test_the_secret_is_not_stored(
    store: CredentialStore, clock: Clock, keys: ApiKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    record, key = new_key("dashboard", SCOPES, now_s=int(clock()))
    store.add_api_key(record)
    secret = key[12:]

    async def story() -> list[str]:
        await keys.client(key)
        await asyncio.gather(*keys._writes)
        clock.now_s += 5
        store.revoke_api_key(record.id, int(clock()))
        refusals = [await refusal(keys, one) for one in (key, key[:-1], f"{key}x")]
        return [repr(one) + one.message + str(one.headers) for one in refusals]

    said = asyncio.run(story())
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert record.id.encode() in files
    seen = [*said, caplog.text, repr(record), repr(store.api_keys()), repr(vars(keys)), files.decode("latin-1")]
    assert not [one for one in seen if secret in one or secret[:43] in one]


def test_a_second_request_does_not_query_the_database(store: CredentialStore, clock: Clock, keys: ApiKeys) -> None:
    record, key = new_key("one", SCOPES, now_s=int(clock()))
    store.add_api_key(record)

    async def story() -> None:
        await keys.client(key)
        await asyncio.gather(*keys._writes)
        keys._store = None  # type: ignore[assignment]  # asking it would be an error
        for _ in range(100):
            await keys.client(key)

    asyncio.run(story())


def test_the_defaults_match_the_guide() -> None:
    assert module.REFRESH_S == 5
