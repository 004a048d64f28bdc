"""Tells access tokens from ID tokens by their claims, because many issuers do not set ``typ``.

An ID token proves to a client that somebody has logged in. Issuers sign it with the same keys, often with the same
``typ``, and browsers pass it around freely, so it must not grant access here (RFC 8725 section 3.12).

An ID token may have ``nonce``, ``at_hash`` or ``c_hash`` (OpenID Connect Core), but none of them is guaranteed. So a
token whose ``typ`` is not ``at+jwt`` has to prove that it is an access token by one of

* a statement of its issuer: ``token_use`` (Amazon Cognito), or ``typ`` among the claims (Keycloak);
* the authentication method of its client: ``azpacr`` or ``appidacr``, which only access tokens of Microsoft Entra have;
* a claim that ID tokens lack, such as ``scope`` or ``client_id``, and a client that is not in the audience. An ID token
  always has its client there (OpenID Connect Core section 2), except when Google issues it for another client's server,
  and then it lacks these claims.

``auth_time``, ``acr`` and ``amr`` prove nothing: access tokens may have them too (RFC 9068 section 2.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of ID tokens (OpenID Connect Core, FAPI's s_hash), and of logout and other event tokens (RFC 8417).
_FOREIGN = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
_KEYCLOAKS_OTHERS = frozenset({"ID", "Refresh", "Offline", "Logout"})
_CLIENTS = ("client_id", "cid", "appid", "azp")
_ACCESS_ONLY = frozenset({"scope", "scp", "client_id", "cid", "appid"})
_CLIENT_AUTHENTICATION = frozenset({"azpacr", "appidacr"})


def is_access_token(claims: Mapping[str, Any], *, typed: bool) -> bool:
    """Whether a token with a valid signature is an access token; ``typed``: its header says ``at+jwt``.

    >>> id_token = {"aud": "shop", "azp": "shop", "sub": "ann", "roles": ["predict"]}
    >>> is_access_token(id_token, typed=False), is_access_token({**id_token, "azpacr": "1"}, typed=False)
    (False, True)
    """
    if not _FOREIGN.isdisjoint(claims) or claims.get("token_use", "access") != "access":
        return False
    kind = claims.get("typ")
    if typed:
        return kind not in _KEYCLOAKS_OTHERS if isinstance(kind, str) else True
    if "token_use" in claims or not _CLIENT_AUTHENTICATION.isdisjoint(claims):
        return True
    return kind == "Bearer" if "typ" in claims else _is_for_another(claims)


def _is_for_another(claims: Mapping[str, Any]) -> bool:
    """Whether it has a claim that ID tokens lack, and a client that is not its audience."""
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    clients = [claims[one] for one in _CLIENTS if one in claims]
    return not _ACCESS_ONLY.isdisjoint(claims) and bool(clients) and not any(one in named for one in clients)
