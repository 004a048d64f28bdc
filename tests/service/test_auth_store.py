"""The database of the guard: the same facts of a SQLite file and of a real PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import sqlalchemy as sql

from bertline.errors import UsageError
from bertline.service.guard import store as module
from bertline.service.guard.client import Scope
from bertline.service.guard.records import ApiKeyRecord, ClientRecord, SigningKeyRecord
from bertline.service.guard.signing import SigningKeys, rotate
from bertline.service.guard.store import AuthDatabaseError, CredentialStore, default_url
from tests.forked import FORKING
from tests.service.postgres import new_database, postgres_url

__all__ = ["postgres_url"]  # the fixture
HASH = "ab" * 32
CLIENT = ClientRecord("blc_aaaaaaaa", "nightly", frozenset({Scope.PREDICT, Scope.METRICS}), HASH, 1_790_000_000)
KEY = ApiKeyRecord("bl_aaaaaaaa", "dashboard", frozenset({Scope.PREDICT}), HASH, 1_790_000_000, expires_s=1_800_000_000)
SIGNING = SigningKeyRecord(1, "a-thumbprint", "a private key", 1_790_000_000, 1_790_000_600)
PROCESSES = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'auth.db'}"
    return new_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[CredentialStore]:
    with CredentialStore(url) as one:
        yield one


def test_clients_round_trip(store: CredentialStore) -> None:
    other = ClientRecord("blc_bbbbbbbb", "O'Hara; DROP TABLE", frozenset(Scope), HASH, 1_790_000_001)
    store.add_client(other)
    store.add_client(CLIENT)
    assert store.clients() == [CLIENT, other]
    assert store.client("blc_bbbbbbbb") == other
    assert store.client("blc_cccccccc") is None
    assert store.remove_client("blc_bbbbbbbb")
    assert not store.remove_client("blc_bbbbbbbb")
    assert store.clients() == [CLIENT]


def test_a_database_without_an_encoding_has_text_too(postgres_url: str) -> None:
    """SQL_ASCII is what a server has that was set up without a locale; its text arrived as bytes."""
    client = replace(CLIENT, name="é 日本")
    with CredentialStore(new_database(postgres_url, encoding="SQL_ASCII")) as store:
        store.add_client(client)
        assert store.clients() == [client]


def test_api_keys_round_trip(store: CredentialStore) -> None:
    endless = ApiKeyRecord("bl_bbbbbbbb", "é 日本", frozenset({Scope.ADMIN}), HASH, 1_790_000_001)
    store.add_api_key(endless)
    store.add_api_key(KEY)
    assert store.api_keys() == [KEY, endless]


def test_a_revoked_key_stays_in_the_list_with_the_time_of_the_first_revocation(store: CredentialStore) -> None:
    store.add_api_key(KEY)
    assert store.revoke_api_key(KEY.id, 1_790_000_100)
    assert store.revoke_api_key(KEY.id, 1_790_000_200)
    assert not store.revoke_api_key("bl_unknown0", 1_790_000_200)
    assert store.api_keys()[0].revoked_s == 1_790_000_100


def test_the_day_of_last_use_never_decreases(store: CredentialStore) -> None:
    store.add_api_key(KEY)
    for day in (date(2026, 10, 2), date(2026, 10, 3), date(2026, 10, 1)):
        store.api_key_used(KEY.id, day)
    assert store.api_keys()[0].last_used == date(2026, 10, 3)


def test_a_generation_of_signing_keys_is_written_once(store: CredentialStore) -> None:
    assert store.add_signing_key(SIGNING)
    assert not store.add_signing_key(SigningKeyRecord(1, "another", "another", 1_790_000_000, 1_790_000_600))
    second = SigningKeyRecord(2, "a-second", "another", 1_790_000_000, 1_790_000_600)
    assert store.add_signing_key(second)
    assert store.signing_keys() == [SIGNING, second]
    store.remove_signing_keys([1])
    assert store.signing_keys() == [second]


def test_records_persist(url: str) -> None:
    with CredentialStore(url) as first:
        first.add_client(CLIENT)
    with CredentialStore(url) as second:
        assert second.clients() == [CLIENT]


def test_a_scope_of_a_newer_version_means_nothing_here(store: CredentialStore) -> None:
    store.add_client(CLIENT)
    with store.changing() as connection:
        connection.execute(sql.update(module.CLIENTS).values(scopes="predict conquer"))
    assert store.clients()[0].scopes == {Scope.PREDICT}


def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str) -> None:
    with CredentialStore(url) as one, one.changing() as connection:
        connection.execute(sql.update(module.MIGRATIONS.table).values(version=7))
    with pytest.raises(
        AuthDatabaseError, match="has version 7 and this bertline knows version 1: install the bertline"
    ):
        CredentialStore(url)


def test_an_older_database_is_brought_up_to_date_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with CredentialStore(url) as one:
        one.add_client(CLIENT)
    steps: list[int] = []
    more = (*module.MIGRATIONS.steps, lambda _: steps.append(2), lambda _: steps.append(3))
    monkeypatch.setattr(module, "MIGRATIONS", replace(module.MIGRATIONS, steps=more))
    for _ in range(2):
        with CredentialStore(url) as one:
            assert one.clients() == [CLIENT]
    assert steps == [2, 3]


def test_a_step_that_fails_leaves_the_database_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with CredentialStore(url) as one:
        one.add_client(CLIENT)

    def half(connection: sql.Connection) -> None:
        module.CLIENTS.drop(connection)
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(module, "MIGRATIONS", replace(module.MIGRATIONS, steps=(*module.MIGRATIONS.steps, half)))
        with pytest.raises(RuntimeError, match="the power went"):
            CredentialStore(url)
    with CredentialStore(url) as one:
        assert one.clients() == [CLIENT]


def start_at_once(url: str, barrier: Barrier) -> None:
    """One of several servers that start together, and several operators that rotate the same key."""
    barrier.wait(60)
    with CredentialStore(url) as store:
        SigningKeys(store, "http://here")._read()
        known = store.signing_keys()
        barrier.wait(60)
        rotate(store, known, now_s=known[-1].created_s, signs_from_s=known[-1].created_s)
        barrier.wait(60)
        assert len(store.signing_keys()) == 2


@pytest.mark.drill
def test_eight_processes_make_one_schema_one_first_key_and_one_new_key(url: str) -> None:
    barrier = FORKING.Barrier(PROCESSES)
    processes = [FORKING.Process(target=start_at_once, args=(url, barrier)) for _ in range(PROCESSES)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(120)
    assert [one.exitcode for one in processes] == [0] * PROCESSES
    with CredentialStore(url) as store:
        assert [one.generation for one in store.signing_keys()] == [1, 2]


def test_the_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with CredentialStore(f"sqlite:///{tmp_path / 'auth.db'}") as one:
            one.add_client(CLIENT)
    finally:
        os.umask(before)
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("auth.db", 0o600)]


def test_a_world_readable_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    CredentialStore(f"sqlite:///{path}").close()
    path.chmod(0o604)
    with pytest.raises(AuthDatabaseError, match=f"accessible to all users: chmod 600 {path}"):
        CredentialStore(f"sqlite:///{path}")


def test_a_file_that_was_taken_away_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    with CredentialStore(f"sqlite:///{path}") as store:
        path.rename(tmp_path / "away.db")
        with pytest.raises(AuthDatabaseError, match=r"auth\.db cannot be used: unable to open database file"):
            store.clients()
    assert not path.exists()


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    path.write_text("a shopping list, of more than a hundred bytes" * 10)
    path.chmod(0o600)
    with pytest.raises(AuthDatabaseError, match="cannot be used: file is not a database"):
        CredentialStore(f"sqlite:///{path}")


def test_a_file_that_another_process_writes_is_waited_for_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEYS", replace(module.KEYS, wait_s=0.05))
    path = tmp_path / "auth.db"
    with CredentialStore(f"sqlite:///{path}") as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AuthDatabaseError, match="database is locked"):
            store.add_client(CLIENT)
        other.rollback()
        other.close()
        store.add_client(CLIENT)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("auth.db", "has no valid URL: write sqlite:////"),
        ("sqlite://", "is not in a file"),
        ("sqlite:///:memory:", "is not in a file"),
        ("mysql://root:hunter2@db/auth", "neither SQLite nor PostgreSQL but mysql"),
        ("postgresql://root:hunter2@db:port/auth", "has no valid URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        CredentialStore(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://ann:hunter2@127.0.0.1:9/auth", "postgresql://127.0.0.1:9/auth?password=hunter2"]
)
def test_a_server_that_does_not_answer_is_named_without_the_password(url: str) -> None:
    with pytest.raises(AuthDatabaseError, match=r"keys auth at 127\.0\.0\.1 cannot be used: .*refused") as caught:
        CredentialStore(url)
    assert "hunter2" not in str(caught.value)


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "auth.db"
    with pytest.raises(AuthDatabaseError, match=rf"keys {path} cannot be created: .*; name another in BERTLINE_AUTH_"):
        CredentialStore(f"sqlite:///{path}")


def test_errors_of_the_database_quote_no_values(store: CredentialStore) -> None:
    store.add_signing_key(SIGNING)
    long = SigningKeyRecord(2, SIGNING.kid, "-----BEGIN PRIVATE KEY----- canary", 1_790_000_000, 1_790_000_600)
    with pytest.raises(AuthDatabaseError) as caught:
        store._change(sql.text("INSERT INTO nowhere VALUES (:it)").bindparams(it="canary"))
    with pytest.raises(AuthDatabaseError) as raised:
        store.add_signing_key(long)
    assert "canary" not in str(caught.value)
    assert "canary" not in str(raised.value)


def test_records_do_not_show_their_secrets() -> None:
    assert HASH not in repr([CLIENT, KEY])
    assert "a private key" not in repr(SIGNING)


@pytest.mark.parametrize("set_home", [True, False])
def test_the_default_database_is_in_the_data_directory(
    set_home: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data") if set_home else "not/absolute")
    directory = (tmp_path / "data" if set_home else tmp_path / ".local" / "share") / "bertline"
    assert default_url() == f"sqlite:///{directory}/auth.db"
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_cannot_be_created_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bertline").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(AuthDatabaseError, match=r"cannot be created .*: name a database in BERTLINE_AUTH_DATABASE"):
        default_url()
