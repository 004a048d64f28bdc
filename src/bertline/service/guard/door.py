"""Authenticates and authorises a request from its headers, before its body is read."""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

from starlette.types import Scope as AsgiScope

from bertline.monitoring.addresses import BROWSED
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.scopes import required_scopes
from bertline.serving.problems import Code, Problem

ANONYMOUS = Client("anonymous", frozenset(Scope), "anonymous")
KEY_PREFIX = "bl_"
REALM = 'realm="bertline"'
LONGEST_HEADER = 16_384


class Verifier(Protocol):
    """Verifies one kind of credential."""

    async def client(self, credential: str) -> Client:
        """The client that a credential identifies.

        Raises:
            Problem: the credential is invalid, or cannot be verified at the moment.
        """


class Guard:
    """Default deny; without any verifier every client is anonymous and has all scopes."""

    def __init__(self, tokens: Verifier | None = None, keys: Verifier | None = None) -> None:
        self._tokens, self._keys = tokens, keys

    async def admit(self, scope: AsgiScope) -> None:
        """Put the ``Client`` in the request's state; public paths have none.

        Raises:
            Problem: the credential is missing or invalid (401), or lacks the required scope (403).
        """
        state = scope.setdefault("state", {})
        if self._tokens is None and self._keys is None:
            state["client"] = ANONYMOUS
            return
        required = required_scopes(scope["path"])
        if required is not None:
            state["client"] = await self._authorise(scope, required)

    async def _authorise(self, scope: AsgiScope, required: frozenset[Scope]) -> Client:
        scheme, credential = _credential(scope)
        if scheme == "none":
            raise Problem(
                Code.UNAUTHENTICATED,
                "Authentication required: send the header Authorization: Bearer with an access token or an API key.",
                headers={"WWW-Authenticate": _challenge(scope["path"])},
            )
        client = await self._authenticate(scheme, credential, scope["path"])
        if not client.scopes & required:
            names = " or ".join(sorted(required))
            raise Problem(
                Code.INSUFFICIENT_SCOPE,
                f"This credential lacks the required scope: use one with {names}.",
                headers={"WWW-Authenticate": f'Bearer {REALM}, error="insufficient_scope", scope="{names}"'},
            )
        return client

    async def _authenticate(self, scheme: str, credential: str, path: str) -> Client:
        verifier = self._keys if scheme == "basic" or credential.startswith(KEY_PREFIX) else self._tokens
        if verifier is None:
            accepted = "access tokens of its identity provider" if self._tokens else "API keys"
            raise _refused(f"This server accepts only {accepted}: send one.", path)
        try:
            return await verifier.client(credential)
        except Problem as problem:
            if scheme == "basic":  # or the browser would not ask for the password again
                problem.headers["WWW-Authenticate"] = _challenge(path)
            raise


def _credential(scope: AsgiScope) -> tuple[str, str]:
    """Scheme and credential of a request; a browser's password is an API key.

    Raises:
        Problem: there are several, or one is malformed.
    """
    sent = [(name, value) for name, value in scope["headers"] if name in (b"authorization", b"x-api-key")]
    if not sent:
        return "none", ""
    if len(sent) > 1:
        raise _refused("Several credentials were sent: send either Authorization or X-API-Key, once.", scope["path"])
    name, value = sent[0]
    if len(value) > LONGEST_HEADER:
        raise _refused(f"The credential is longer than {LONGEST_HEADER:,} bytes: copy it again.", scope["path"])
    text = value.decode("latin-1").strip()
    if name == b"x-api-key":
        return "key", text
    scheme, _, credential = text.partition(" ")
    match scheme.lower():
        case "bearer" if credential.strip():
            return "bearer", credential.strip()
        case "basic":
            _check_same_site(scope)
            return "basic", _password(credential, scope["path"])
    raise _refused("Authorization must be Bearer with an access token or an API key.", scope["path"])


def _password(credential: str, path: str) -> str:
    try:
        pair = base64.b64decode(credential.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _refused("Authorization: Basic is malformed (RFC 7617).", path) from None
    return pair.partition(":")[2]


def _check_same_site(scope: AsgiScope) -> None:
    """Reject a cross-site request with a browser's password, which the browser adds by itself.

    Raises:
        Problem: the request comes from another site's page (https://www.w3.org/TR/fetch-metadata/).
    """
    site = next((value for name, value in scope["headers"] if name == b"sec-fetch-site"), b"none")
    if site not in (b"none", b"same-origin"):
        raise Problem(Code.INSUFFICIENT_SCOPE, "Pages of other sites may not use this browser's password here.")


def _challenge(path: str) -> str:
    # A browser can only prompt for a password.
    browsed = path in BROWSED or path.startswith("/page/")
    return f'Basic {REALM}, charset="UTF-8"' if browsed else f"Bearer {REALM}"


def _refused(message: str, path: str) -> Problem:
    challenge = _challenge(path)
    if challenge.startswith("Bearer"):
        challenge += ', error="invalid_token"'
    return Problem(Code.INVALID_CREDENTIALS, message, headers={"WWW-Authenticate": challenge})
