"""The command as an operator types it: what it prints once, what it lists, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli.auth import register, seconds
from bertline.errors import SettingsError, UsageError
from bertline.service.guard import credentials
from bertline.service.guard.client import Scope
from bertline.service.guard.store import CredentialStore

app = typer.Typer(pretty_exceptions_enable=False)
register(app)


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("BERTLINE_AUTH_DATABASE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def auth(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["auth", *arguments], env={"COLUMNS": "160"})


def done(*arguments: str) -> str:
    result = auth(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = auth(*arguments)
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


def listed(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(kind, "list", "--json"))
    return found


def test_a_client_is_made_and_its_secret_is_shown_once() -> None:
    result = auth("client", "add", "nightly", "--scope", "predict", "--scope", "metrics")
    found = re.fullmatch(r"client_id: (blc_\w{8})\nclient_secret: (blc_\w{8}_\w{49})\n", result.stdout)
    assert found
    assert result.stderr == "Save it now: it is not shown again.\n"
    (client,) = listed("client")
    assert client["client_id"] == found[1] == credentials.id_of(found[2], credentials.CLIENT)
    assert (client["name"], client["scopes"]) == ("nightly", ["metrics", "predict"])
    for shown in (done("client", "list"), done("client", "list", "--json")):
        assert found[2][13:] not in shown


def test_programs_read_json() -> None:
    client = json.loads(done("client", "add", "nightly", "--scope", "predict", "--json"))
    assert set(client) == {"client_id", "client_secret", "name", "scopes"}
    key = json.loads(done("key", "add", "dashboard", "--scope", "predict", "--json"))
    assert set(key) == {"id", "key", "name", "scopes", "expires"}
    assert key["expires"] is None
    assert set(json.loads(done("rotate", "--json"))) == {"kid"}


def test_the_database_has_what_was_printed_as_a_hash(home: Path) -> None:
    key = done("key", "add", "dashboard", "--scope", "predict").strip()
    with CredentialStore(f"sqlite:///{home}/bertline/auth.db") as store:
        (record,) = store.api_keys()
    assert credentials.matches(key, record.hash)
    assert record.scopes == {Scope.PREDICT}
    assert key[12:].encode() not in (home / "bertline" / "auth.db").read_bytes()


def test_the_file_is_for_its_owner_alone(home: Path) -> None:
    done("client", "list")
    assert (home / "bertline" / "auth.db").stat().st_mode & 0o777 == 0o600


def test_a_key_that_expires_says_when_and_one_that_is_revoked_too() -> None:
    found = json.loads(done("key", "add", "dashboard", "--scope", "predict", "--expires", "90d", "--json"))
    (before,) = listed("key")
    assert before["id"] == found["id"]
    assert before["expires"] == found["expires"] > before["created"]
    assert (before["last_used"], before["revoked"]) == (None, None)
    result = auth("key", "revoke", found["id"])
    assert (result.exit_code, result.stderr) == (0, f"revoked {found['id']}\n")
    assert listed("key")[0]["revoked"] >= before["created"]


def test_lists_are_tables_for_people() -> None:
    empty = done("key", "list")
    assert empty.split() == ["id", "name", "scopes", "created", "expires", "last", "used", "revoked"]
    done("key", "add", "a dashboard with a long name", "--scope", "predict", "--expires", "12h")
    done("key", "add", "b", "--scope", "metrics")
    head, *rows = done("key", "list").splitlines()
    assert [row[head.index("scopes") :].split()[0] for row in rows] in (["predict", "metrics"], ["metrics", "predict"])
    assert all(re.match(r"bl_\w{8}  ", row) for row in rows)


def test_a_table_shows_ids_and_names_letter_by_letter() -> None:
    """Among thirty ids one has a T, which a time has as well."""
    ids = [json.loads(done("key", "add", f"T{n}TZ", "--scope", "predict", "--json"))["id"] for n in range(30)]
    rows = done("key", "list").splitlines()[1:]
    assert {row.split()[0] for row in rows} == set(ids)
    assert {row.split()[1] for row in rows} == {f"T{n}TZ" for n in range(30)}
    assert all(re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", row) for row in rows)


def test_a_client_is_removed() -> None:
    id = json.loads(done("client", "add", "nightly", "--scope", "predict", "--json"))["client_id"]
    assert auth("client", "remove", id).exit_code == 0
    assert listed("client") == []
    assert refused("client", "remove", id) == (
        f"there is no client {id}: list the clients with bertline auth client list"
    )


def test_an_unknown_key_is_not_revoked_and_a_pasted_secret_is_not_repeated() -> None:
    assert refused("key", "revoke", "bl_unknown0").startswith("there is no API key bl_unknown0: ")
    pasted = credentials.new(credentials.API_KEY).text
    assert pasted[12:] not in refused("key", "revoke", pasted)


def test_each_rotation_makes_another_key(home: Path) -> None:
    first, second = done("rotate").strip(), done("rotate").strip()
    with CredentialStore(f"sqlite:///{home}/bertline/auth.db") as store:
        assert [one.kid for one in store.signing_keys()] == [first, second]
        assert [one.signs_from_s - one.created_s for one in store.signing_keys()] == [0, 0]


@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_the_database_may_be_named_in_three_ways(way: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{home}/elsewhere.db"
    if way == "environment":
        monkeypatch.setenv("BERTLINE_AUTH_DATABASE", url)
    if way == "file":
        (home / "bertline.toml").write_text(f'[auth]\ndatabase = "{url}"\n')
    done("client", "list", *(["--database", url] if way == "flag" else []))
    assert (home / "elsewhere.db").is_file()
    assert not (home / "bertline").exists()


def test_a_wrong_key_of_the_settings_is_an_error(home: Path) -> None:
    (home / "bertline.toml").write_text('[auth]\ndatabse = "sqlite:///x.db"\n')
    result = auth("client", "list")
    assert isinstance(result.exception, SettingsError)
    assert "did you mean database?" in str(result.exception)


@pytest.mark.parametrize("expires", ["90", "d", "0d", "-1d", "1w", "1.5h", "99999999d", "١d"])
def test_a_time_that_is_none_is_refused(expires: str) -> None:
    assert "write 90d, 12h or 30m" in refused("key", "add", "a", "--scope", "predict", f"--expires={expires}")


def test_times_are_in_seconds() -> None:
    assert [seconds(one) for one in ("1m", "2h", "90d")] == [60, 7200, 7_776_000]


@pytest.mark.parametrize("name", ["", "x" * 65, "two\nlines", "bell\a"])
def test_a_name_that_would_break_the_list_is_refused(name: str) -> None:
    assert "NAME must be one line of 1 to 64 characters" in refused("client", "add", name, "--scope", "predict")


@pytest.mark.parametrize("arguments", [("client", "add", "a"), ("key", "add", "a", "--scope", "conquer")])
def test_scopes_are_needed_and_known(arguments: tuple[str, ...]) -> None:
    result = auth(*arguments)
    assert result.exit_code == 2
    assert "--scope" in result.stderr
