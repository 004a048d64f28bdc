"""``bertline auth``: clients, API keys and signing keys of the built-in authentication."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bertline.cli.plain_table import print_table
from bertline.config import load_settings
from bertline.errors import UsageError, needing
from bertline.service.guard.client import Scope
from bertline.service.guard.settings import AuthSettings

if TYPE_CHECKING:
    from bertline.service.guard.store import CredentialStore

SECONDS = {"m": 60, "h": 3600, "d": 86_400}
LONGEST_NAME = 64
LONGEST_LIFETIME_S = 100 * 365 * SECONDS["d"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the owner, for people; need not be unique.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id, as printed by list.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="Scope to grant; may be repeated.")]
Database = Annotated[
    str | None,
    typer.Option(
        help="URL of the database. Default: BERTLINE_AUTH_DATABASE, [auth] database in bertline.toml, or a file in "
        "your data directory.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

auth = typer.Typer(help="Clients, API keys and signing keys of the built-in authentication.", no_args_is_help=True)
client = typer.Typer(help="Clients that exchange a secret for tokens at POST /oauth/token.", no_args_is_help=True)
key = typer.Typer(help="API keys, sent with each request.", no_args_is_help=True)
auth.add_typer(client, name="client")
auth.add_typer(key, name="key")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(auth, name="auth")


@client.command("add", epilog="Example: bertline auth client add nightly-report --scope predict")
def add_client(name: Name, scopes: Scopes, database: Database = None, as_json: Json = False) -> None:
    """Create a client and print its id and secret. The secret is not shown again."""
    with _store(database) as store:
        from bertline.service.guard.clients import new_client

        record, secret = new_client(_named(name), frozenset(scopes), now_s=_now_s())
        store.add_client(record)
    credential = {"client_id": record.id, "client_secret": secret, "name": name, "scopes": sorted(record.scopes)}
    _show_secret(credential, ("client_id", "client_secret"), as_json=as_json)


@client.command("list", epilog="Example: bertline auth client list --json")
def list_clients(database: Database = None, as_json: Json = False) -> None:
    """List the clients, oldest first."""
    with _store(database) as store:
        records = store.clients()
    _show_table(
        ("client_id", "name", "scopes", "created"),
        [(one.id, one.name, sorted(one.scopes), _time(one.created_s)) for one in records],
        as_json=as_json,
    )


@client.command("remove", epilog="Example: bertline auth client remove blc_3fK9x2Qa")
def remove_client(id: Id, database: Database = None) -> None:
    """Remove a client: it gets no more tokens, and its last ones expire within minutes."""
    with _store(database) as store:
        if not store.remove_client(id):
            raise UsageError(f"there is no client {_shown(id)}: list the clients with bertline auth client list")
    typer.echo(f"removed {id}; its tokens expire within minutes", err=True)


@key.command("add", epilog="Example: bertline auth key add dashboard --scope predict --scope metrics --expires 90d")
def add_key(
    name: Name,
    scopes: Scopes,
    expires: Annotated[str | None, typer.Option(help="Lifetime, such as 90d, 12h or 30m. Default: unlimited.")] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Create an API key and print it. It is not shown again."""
    lifetime_s = None if expires is None else seconds(expires)
    with _store(database) as store:
        from bertline.service.guard.api_keys import new_key

        record, text = new_key(_named(name), frozenset(scopes), now_s=_now_s(), lifetime_s=lifetime_s)
        store.add_api_key(record)
    credential = {"id": record.id, "key": text, "name": name, "scopes": sorted(record.scopes)}
    _show_secret({**credential, "expires": _time(record.expires_s)}, ("key",), as_json=as_json)


@key.command("list", epilog="Example: bertline auth key list")
def list_keys(database: Database = None, as_json: Json = False) -> None:
    """List the API keys, oldest first, including revoked and expired ones."""
    with _store(database) as store:
        records = store.api_keys()
    _show_table(
        ("id", "name", "scopes", "created", "expires", "last_used", "revoked"),
        [
            (
                *(one.id, one.name, sorted(one.scopes), _time(one.created_s), _time(one.expires_s)),
                *(one.last_used.isoformat() if one.last_used else None, _time(one.revoked_s)),
            )
            for one in records
        ],
        as_json=as_json,
    )


@key.command("revoke", epilog="Example: bertline auth key revoke bl_3fK9x2Qa")
def revoke_key(id: Id, database: Database = None) -> None:
    """Revoke an API key; every server refuses it within five seconds."""
    with _store(database) as store:
        if not store.revoke_api_key(id, _now_s()):
            raise UsageError(f"there is no API key {_shown(id)}: list the keys with bertline auth key list")
    typer.echo(f"revoked {id}", err=True)


@auth.command("rotate", epilog="Example: bertline auth rotate")
def rotate_keys(database: Database = None, as_json: Json = False) -> None:
    """Rotate the signing key. Tokens signed with the old key stay valid until they expire.

    Servers rotate automatically every 30 days. Rotate by hand if somebody else may have read the database.
    """
    with _store(database) as store:
        from bertline.service.guard.signing import rotate

        now_s = _now_s()
        rotate(store, store.signing_keys(), now_s=now_s, signs_from_s=now_s)
        kid = store.signing_keys()[-1].kid
    typer.echo(json.dumps({"kid": kid}) if as_json else kid)


def seconds(text: str) -> int:
    """A time as people write it.

    >>> seconds("90d"), seconds("12h"), seconds("30m")
    (7776000, 43200, 1800)

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,7})([mhd])", text)
    lifetime_s = int(match[1]) * SECONDS[match[2]] if match else 0
    if not 0 < lifetime_s <= LONGEST_LIFETIME_S:
        raise UsageError(f"--expires {_shown(text)} is not a duration of at most 100 years: write 90d, 12h or 30m")
    return lifetime_s


def _store(database: str | None) -> CredentialStore:
    """The database that is meant, made where there is none."""
    with needing("a database of keys needs SQLAlchemy", "sqlalchemy", extra="serve"):
        from bertline.service.guard.store import CredentialStore, default_url
    settings = load_settings(AuthSettings, "auth", {"database": database})
    return CredentialStore(settings.database or default_url())


def _now_s() -> int:
    return int(time.time())


def _named(name: str) -> str:
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"NAME must be one line of 1 to {LONGEST_NAME} characters: shorten it, or remove the unprintable characters"
        )
    return name


def _time(when_s: int | None) -> str | None:
    return None if when_s is None else datetime.fromtimestamp(when_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(text: str) -> str:
    """What was typed, unless it may be a secret that was pasted in the place of an id."""
    return text if len(text) <= 16 and text.isprintable() else "of that id"


def _show_secret(credential: dict[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(credential))
        return
    for name in lines:
        typer.echo(f"{name}: {credential[name]}" if len(lines) > 1 else credential[name])
    typer.echo("Save it now: it is not shown again.", err=True)


def _show_table(names: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    print_table([[name.replace("_", " ") for name in names], *([_cell(one) for one in row] for row in rows)])


TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z$")  # of an id and of a name every letter counts


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "-" if value is None else TIME.sub(r"\1 \2", str(value))
