"""Whether a verified token is an access token, told by its claims, because many issuers do not say it in ``typ``.

An ID token proves to a client that somebody has logged in. Issuers sign it with the same keys, often with the same
``typ``, and browsers hand it around freely, so it must not open anything here (RFC 8725 section 3.12).

OpenID Connect Core gives an ID token ``nonce``, ``at_hash`` or ``c_hash``, and none of them is sure to be there. So a
token whose ``typ`` is not ``at+jwt`` has to show that it is an access token, by one of

* its issuer's own word: ``token_use`` (Amazon Cognito), or ``typ`` among the claims (Keycloak);
* how its client was authenticated: ``azpacr`` or ``appidacr``, which Microsoft Entra writes into access tokens alone;
* a claim that ID tokens lack, as ``scope`` or ``client_id``, with a client that is not in the audience. The client of
  an ID token is always in it (OpenID Connect Core section 2), except where Google issues the token for the server of
  another client; that one has no such claim.

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
    """Whether these are the claims of an access token.

    Args:
        claims: of a token whose signature is right.
        typed: its header says ``at+jwt``, which no ID token may.

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
    """It has what ID tokens lack, and whoever it was given to is not its audience."""
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    clients = [claims[one] for one in _CLIENTS if one in claims]
    return not _ACCESS_ONLY.isdisjoint(claims) and bool(clients) and not any(one in named for one in clients)
