"""Tokens as identity providers issue them, each by the provider's own documentation, signed with a key of this process.

Names are placeholders (TENANT, REGION, APP-ID …), the same ones as in docs/guide/security/provider.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.service.forging import key, sealed

Header = Mapping[str, Any]
API = "https://bertline.example.com"
JWT = {"typ": "JWT", "alg": "RS256", "kid": "rsa"}
UNTYPED = {"alg": "RS256", "kid": "rsa"}


@dataclass(frozen=True)
class Issued:
    """A token before it is signed.

    Attributes:
        provider: the row of the guide's table.
        client: the name that it has in limits and logs.
    """

    provider: str
    header: Header
    claims: Mapping[str, Any]
    client: str = ""

    @property
    def issuer(self) -> str:
        return str(self.claims["iss"])

    def signed(self, **changes: Any) -> str:
        """The token, valid for five minutes; a change of None leaves the claim out."""
        now_s = int(time.time())
        body = {"iat": now_s, "exp": now_s + 300, **self.claims, **changes}
        kept = {name: value for name, value in body.items() if value is not None}
        return sealed(self.header, kept, key("rsa"), "RS256")


OKTA = "https://ORG.okta.com/oauth2/default"
ENTRA = "https://login.microsoftonline.com/TENANT/v2.0"
ENTRA_V1 = "https://sts.windows.net/TENANT/"
AUTH0 = "https://TENANT.auth0.com/"
KEYCLOAK = "https://login.example.com/realms/press"
COGNITO = "https://cognito-idp.REGION.amazonaws.com/POOL"
GOOGLE = "https://accounts.google.com"

_USER = {"name": "Ann", "preferred_username": "ann@example.com", "email": "ann@example.com"}


def okta() -> dict[str, Issued]:
    """Okta's custom authorization server: no ``typ``, ``scp`` a list, ``cid`` the client.

    "OpenID Connect & OAuth 2.0 API", sections Access Token and ID Token (Okta Developer).
    """
    common = {"ver": 1, "iss": OKTA, "aud": "api://default", "cid": "CLIENT"}
    user = {"sub": "ann@example.com", "uid": "00u1", "scp": ["openid", "predict"], "auth_time": 1_700_000_000}
    robot = {"sub": "CLIENT", "scp": ["predict"]}
    return {
        "user": Issued("Okta", UNTYPED, {**common, **user, "jti": "AT.a"}, "CLIENT"),
        "robot": Issued("Okta", UNTYPED, {**common, **robot, "jti": "AT.b"}, "CLIENT"),
    }


def okta_id() -> dict[str, Issued]:
    """``at_hash`` comes with an access token, ``nonce`` with the implicit flow; the same page says so."""
    common = {
        **_USER, "ver": 1, "iss": OKTA, "aud": "CLIENT", "sub": "00u1", "jti": "ID.a", "amr": ["pwd"],
        "idp": "00o1", "auth_time": 1_700_000_000,
    }  # fmt: skip
    return {
        "code": Issued("Okta", UNTYPED, {**common, "at_hash": "cpqKfdQA5eH891Ff5oJr_Q"}),
        "implicit": Issued("Okta", UNTYPED, {**common, "nonce": "n-1"}),
        "neither": Issued("Okta", UNTYPED, common),
    }


def okta_org() -> Issued:
    """Of the org authorization server, for Okta alone: its key is not among those that are published.

    "Validate Access Tokens" (Okta Developer).
    """
    header = {**UNTYPED, "kid": "org-1"}
    claims = {
        "ver": 1,
        "iss": "https://ORG.okta.com",
        "aud": "https://ORG.okta.com",
        "cid": "CLIENT",
        "scp": ["openid"],
    }
    return Issued("Okta", header, {**claims, "sub": "ann@example.com", "uid": "00u1"})


_ENTRA = {"oid": "O-1", "tid": "TENANT", "uti": "u1", "rh": "r", "aio": "a"}


def entra() -> dict[str, Issued]:
    """Version 2: the audience is the API's id, the client is in ``azp``; ``scp`` for users, ``roles`` for programs.

    "Access token claims reference" (Microsoft identity platform). The last calls itself, as one registration may.
    """
    common = {**_ENTRA, "iss": ENTRA, "aud": "APP-ID", "ver": "2.0", "azp": "CLIENT", "azpacr": "1", "nbf": 1}
    user = {"scp": "predict", "sub": "s1", "roles": ["admin"], "name": "Ann", "preferred_username": "ann@example.com"}
    robot = {"roles": ["predict"], "sub": "O-1"}
    return {
        "user": Issued("Entra, version 2", JWT, {**common, **user}, "CLIENT"),
        "robot": Issued("Entra, version 2", JWT, {**common, **robot}, "CLIENT"),
        "itself": Issued("Entra, version 2", JWT, {**common, **robot, "azp": "APP-ID"}, "APP-ID"),
    }


def entra_v1() -> dict[str, Issued]:
    """Version 1: the audience may be the API's URI, the client is in ``appid``, the header has ``x5t`` as well.

    "Access token claims reference" (Microsoft identity platform).
    """
    header = {**JWT, "x5t": "rsa"}
    common = {**_ENTRA, "iss": ENTRA_V1, "ver": "1.0", "appid": "CLIENT", "appidacr": "1", "nbf": 1, "idp": ENTRA_V1}
    user = {"aud": "api://APP-ID", "scp": "predict", "sub": "s1", "acr": "1", "amr": ["pwd"], "unique_name": "ann"}
    robot = {"aud": "api://APP-ID", "roles": ["predict"], "sub": "O-1"}
    return {
        "user": Issued("Entra, version 1", header, {**common, **user}, "CLIENT"),
        "robot": Issued("Entra, version 1", header, {**common, **robot}, "CLIENT"),
        "by its id": Issued("Entra, version 1", header, {**common, **robot, "aud": "APP-ID"}, "CLIENT"),
    }


def entra_id() -> dict[str, Issued]:
    """From the token endpoint there is neither ``at_hash`` nor ``c_hash``, and ``roles`` may be there.

    "ID token claims reference" (Microsoft identity platform).
    """
    common = {**_ENTRA, **_USER, "aud": "APP-ID", "sub": "s1", "roles": ["predict", "admin"], "nbf": 1, "sid": "1"}
    v1 = {**common, "iss": ENTRA_V1, "ver": "1.0", "amr": ["pwd"], "unique_name": "ann"}
    v2 = {**common, "iss": ENTRA, "ver": "2.0"}
    return {
        "token endpoint": Issued("Entra, version 2", JWT, v2),
        "with a nonce": Issued("Entra, version 2", JWT, {**v2, "nonce": "n"}),
        "hybrid": Issued("Entra, version 2", JWT, {**v2, "nonce": "n", "c_hash": "c", "at_hash": "a"}),
        "version 1": Issued("Entra, version 1", {**JWT, "x5t": "rsa"}, v1),
    }


def auth0() -> dict[str, Issued]:
    """Auth0's own profile, which is the default: ``typ`` JWT, ``azp``; and its profile of RFC 9068.

    "Access Token Profiles" and "Access Tokens" (Auth0). With ``permissions`` where roles are in force.
    """
    both = [API, "https://TENANT.auth0.com/userinfo"]
    user = {"iss": AUTH0, "sub": "auth0|1", "aud": both, "azp": "CLIENT", "scope": "openid profile predict"}
    robot = {"iss": AUTH0, "sub": "CLIENT@clients", "aud": API, "azp": "CLIENT", "scope": "predict"}
    modern = {"iss": AUTH0, "sub": "auth0|1", "aud": both, "client_id": "CLIENT", "jti": "j", "scope": "openid predict"}
    return {
        "user": Issued("Auth0", JWT, user, "CLIENT"),
        "robot": Issued("Auth0", JWT, {**robot, "gty": "client-credentials"}, "CLIENT"),
        "with permissions": Issued("Auth0", JWT, {**user, "permissions": ["predict"]}, "CLIENT"),
        "profile of RFC 9068": Issued("Auth0, profile RFC 9068", {**JWT, "typ": "at+jwt"}, modern, "CLIENT"),
    }


def auth0_id() -> dict[str, Issued]:
    """The audience is the application; ``nonce`` if it was asked for.

    "ID Token Structure" (Auth0).
    """
    common = {**_USER, "iss": AUTH0, "sub": "auth0|1", "aud": "CLIENT", "sid": "s"}
    return {
        "code": Issued("Auth0", JWT, common),
        "with a nonce": Issued("Auth0", JWT, {**common, "nonce": "n"}),
        "with azp and roles": Issued(
            "Auth0", JWT, {**common, "azp": "CLIENT", "https://bertline.example.com/roles": ["predict"]}
        ),
    }


_KEYCLOAK = {"iss": KEYCLOAK, "jti": "j", "sub": "u-1", "azp": "CLIENT", "sid": "s", "acr": "1", **_USER}
_ROLES = {"realm_access": {"roles": ["offline_access", "predict"]}, "resource_access": {"bertline": {"roles": ["x"]}}}


def keycloak() -> dict[str, Issued]:
    """``typ`` JWT in the header and Bearer among the claims; ``aud`` by an audience mapper.

    "Server Administration Guide", sections on client scopes and protocol mappers, and the upgrading notes of 25.0
    (``nonce``) and 26.2 (``at+jwt``) (Keycloak).
    """
    common = {**_KEYCLOAK, **_ROLES, "typ": "Bearer", "aud": ["bertline", "account"]}
    robot = {"scope": "profile predict", "client_id": "CLIENT", "clientHost": "10.0.0.1", "clientAddress": "10.0.0.1"}
    rfc = {**JWT, "typ": "at+jwt"}
    plain = {**common, "scope": "openid profile", "auth_time": 1_700_000_000}
    return {
        "robot": Issued("Keycloak", JWT, {**common, **robot}, "CLIENT"),
        "itself": Issued("Keycloak", JWT, {**common, **robot, "azp": "bertline", "client_id": "bertline"}, "bertline"),
        "user by roles": Issued("Keycloak, by roles", JWT, plain, "CLIENT"),
        "from 26.2": Issued("Keycloak, at+jwt", rfc, {**common, **robot}, "CLIENT"),
    }


def keycloak_id() -> dict[str, Issued]:
    """Keycloak says ID in the claim ``typ``; mappers may put roles and an audience of choice into it."""
    common = {**_KEYCLOAK, "typ": "ID", "aud": "CLIENT", "auth_time": 1_700_000_000}
    return {
        "code": Issued("Keycloak", JWT, {**common, "at_hash": "a", "nonce": "n"}),
        "bare": Issued("Keycloak", JWT, common),
        "with all that mappers add": Issued(
            "Keycloak, by roles", JWT, {**common, **_ROLES, "aud": ["CLIENT", "bertline"], "scope": "predict"}
        ),
        "typed by mistake": Issued("Keycloak, at+jwt", {**JWT, "typ": "at+jwt"}, {**common, "aud": "bertline"}),
    }


_COGNITO = {"iss": COGNITO, "auth_time": 1_700_000_000, "jti": "j"}


def cognito() -> dict[str, Issued]:
    """Neither ``typ`` nor ``aud``: ``client_id`` is the app client, ``token_use`` is access.

    "Understanding the access token" (Amazon Cognito). Scopes have the resource server's name in front.
    """
    common = {**_COGNITO, "token_use": "access", "version": 2, "client_id": "CLIENT"}
    user = {
        "sub": "u-1", "username": "ann", "cognito:groups": ["predict"], "origin_jti": "o", "event_id": "e",
        "scope": "openid bertline/predict",
    }  # fmt: skip
    return {
        "robot": Issued("Amazon Cognito", UNTYPED, {**common, "sub": "CLIENT", "scope": "bertline/predict"}, "CLIENT"),
        "user": Issued("Amazon Cognito", UNTYPED, {**common, **user}, "CLIENT"),
        "user by groups": Issued("Amazon Cognito, by groups", UNTYPED, {**common, **user}, "CLIENT"),
    }


def cognito_id() -> dict[str, Issued]:
    """``aud`` is the app client, ``token_use`` is id.

    "Understanding the identity (ID) token" (Amazon Cognito).
    """
    common = {
        **_COGNITO, "token_use": "id", "aud": "CLIENT", "sub": "u-1", "cognito:username": "ann", "event_id": "e",
        "cognito:groups": ["predict"], "origin_jti": "o", "email": "ann@example.com",
    }  # fmt: skip
    return {
        "code": Issued("Amazon Cognito", UNTYPED, {**common, "at_hash": "a", "nonce": "n"}),
        "bare": Issued("Amazon Cognito", UNTYPED, common),
        "by groups": Issued("Amazon Cognito, by groups", UNTYPED, {**common, "client_id": "CLIENT"}),
    }


GOOGLES_ACCESS_TOKEN = "ya29.a0AfH6SMBx-opaque"  # "Token types" (Google Cloud): applications cannot inspect them


def google_id() -> dict[str, Issued]:
    """All that Google signs as a JWT: of a user, of a service account, and of an app for its server's client.

    "Token types" (Google Cloud) and "OpenID Connect" (Google Identity).
    """
    user = {
        "iss": GOOGLE,
        "azp": "CLIENT",
        "aud": "CLIENT",
        "sub": "1",
        "email": "ann@example.com",
        "hd": "example.com",
    }
    account = {
        "iss": GOOGLE,
        "azp": "117",
        "aud": API,
        "sub": "117",
        "email": "robot@p.iam.example",
        "email_verified": True,
    }
    return {
        "user": Issued("Google", JWT, {**user, "at_hash": "a", "nonce": "n"}),
        "user, bare": Issued("Google", JWT, user),
        "service account": Issued("Google", JWT, account),
        "an app for its server": Issued("Google", JWT, {**user, "azp": "ANDROID-CLIENT"}),
    }
