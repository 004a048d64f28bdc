"""The door: who asks, and may they? Answered from the head of a request, before a byte of its body is read."""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

from starlette.types import Scope as AsgiScope

from bertline.monitoring.addresses import BROWSED
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.scopes import needed
from bertline.serving.problems import Code, Problem

ANONYMOUS = Client("anonymous", frozenset(Scope), "anonymous")
KEY_PREFIX = "bl_"
REALM = 'realm="bertline"'
LONGEST_HEADER = 16_384


class Checks(Protocol):
    """One kind of credential."""

    async def client(self, credential: str) -> Client:
        """Who it stands for.

        Raises:
            Problem: nobody, any more or yet.
        """


class Guard:
    """Default deny.

    Args:
        tokens: checks bearer tokens; None where no issuer is trusted.
        keys: checks API keys; None where there are none.
    """

    def __init__(self, tokens: Checks | None = None, keys: Checks | None = None) -> None:
        self._tokens, self._keys = tokens, keys

    async def admit(self, scope: AsgiScope) -> None:
        """Put the ``Client`` in the request's state; a path that is open to everybody has none.

        Raises:
            Problem: nobody is known by this credential (401), or it may not do that (403).
        """
        state = scope.setdefault("state", {})
        if self._tokens is None and self._keys is None:
            state["client"] = ANONYMOUS
            return
        wanted = needed(scope["path"])
        if wanted is not None:
            state["client"] = await self._known(scope, wanted)

    async def _known(self, scope: AsgiScope, wanted: frozenset[Scope]) -> Client:
        scheme, credential = _credential(scope)
        if scheme == "none":
            raise Problem(
                Code.UNAUTHENTICATED,
                "Say who asks: send the header Authorization: Bearer with an access token or an API key.",
                headers={"WWW-Authenticate": _challenge(scope["path"])},
            )
        client = await self._checked(scheme, credential, scope["path"])
        if not client.scopes & wanted:
            names = " or ".join(sorted(wanted))
            raise Problem(
                Code.INSUFFICIENT_SCOPE,
                f"This credential may not do that: it takes one with the scope {names}.",
                headers={"WWW-Authenticate": f'Bearer {REALM}, error="insufficient_scope", scope="{names}"'},
            )
        return client

    async def _checked(self, scheme: str, credential: str, path: str) -> Client:
        kind = self._keys if scheme == "basic" or credential.startswith(KEY_PREFIX) else self._tokens
        if kind is None:
            told = "an access token of its identity provider" if self._tokens else "an API key"
            raise _refused(f"This server takes {told} and nothing else.", path)
        try:
            return await kind.client(credential)
        except Problem as problem:
            if scheme == "basic":  # or the browser would not ask for the password again
                problem.headers["WWW-Authenticate"] = _challenge(path)
            raise


def _credential(scope: AsgiScope) -> tuple[str, str]:
    """Scheme and credential of a request; a browser's password is an API key.

    Raises:
        Problem: more than one, or one that cannot be read.
    """
    found = [(name, value) for name, value in scope["headers"] if name in (b"authorization", b"x-api-key")]
    if not found:
        return "none", ""
    if len(found) > 1:
        raise _refused("Send one credential: either Authorization or X-API-Key, and once.", scope["path"])
    name, value = found[0]
    if len(value) > LONGEST_HEADER:
        raise _refused(f"The credential has more than {LONGEST_HEADER:,} bytes, which none has.", scope["path"])
    text = value.decode("latin-1").strip()
    if name == b"x-api-key":
        return "key", text
    scheme, _, credential = text.partition(" ")
    match scheme.lower():
        case "bearer" if credential.strip():
            return "bearer", credential.strip()
        case "basic":
            _same_site(scope)
            return "basic", _password(credential, scope["path"])
    raise _refused("Authorization must be Bearer with an access token or an API key.", scope["path"])


def _password(credential: str, path: str) -> str:
    try:
        pair = base64.b64decode(credential.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _refused("Authorization: Basic cannot be read (RFC 7617).", path) from None
    return pair.partition(":")[2]


def _same_site(scope: AsgiScope) -> None:
    """A browser adds its password to whatever any page asks of this server: only our own page may use it.

    Raises:
        Problem: another site's page asks (https://www.w3.org/TR/fetch-metadata/).
    """
    site = next((value for name, value in scope["headers"] if name == b"sec-fetch-site"), b"none")
    if site not in (b"none", b"same-origin"):
        raise Problem(
            Code.INSUFFICIENT_SCOPE, "A page of another site asks with this browser's password: only this server's may."
        )


def _challenge(path: str) -> str:
    # A browser can ask for a password and for nothing else.
    browsed = path in BROWSED or path.startswith("/page/")
    return f'Basic {REALM}, charset="UTF-8"' if browsed else f"Bearer {REALM}"


def _refused(message: str, path: str) -> Problem:
    challenge = _challenge(path)
    if challenge.startswith("Bearer"):
        challenge += ', error="invalid_token"'
    return Problem(Code.INVALID_CREDENTIALS, message, headers={"WWW-Authenticate": challenge})
