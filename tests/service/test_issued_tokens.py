"""R4, R5: tokens as identity providers issue them, with the settings that the guide's table names for each."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bertline.config import load_settings
from bertline.errors import SettingsError
from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.invalid_token import SENTENCE, Check, InvalidToken
from bertline.service.guard.settings import AuthSettings, TokenTerms
from bertline.service.guard.trust import Trust
from bertline.service.perimeter import PerimeterSettings, build, trust
from tests.service import issued
from tests.service.forging import AUDIENCE, StaticKeys, claims, header, public, token
from tests.service.identity import identity
from tests.service.issued import GOOGLES_ACCESS_TOKEN
from tests.service.test_provider import until
from tests.service.test_token_zoo import outcome

GUIDE = Path(__file__).parents[2] / "docs/guide/security/provider.md"
ROW = re.compile(r"^\| ([A-Z][^|]+) \| `(https://[^`]+)` \| (.+) \|$", re.MULTILINE)
PREDICT = frozenset({Scope.PREDICT})


def table() -> dict[str, str]:
    """The rows of the guide, each as the TOML that somebody writes who follows it."""
    found = {}
    for name, url, cell in ROW.findall(GUIDE.read_text(encoding="utf-8")):
        found[name] = "\n".join(["[auth]", f'issuers = ["{url}"]', *re.findall(r"`([^`]+)`", cell)])
    return found


TABLE = table()
ACCESS = {
    f"{family.__name__}, {name}": one
    for family in (issued.okta, issued.entra, issued.entra_v1, issued.auth0, issued.keycloak, issued.cognito)
    for name, one in family().items()
}
ID = {
    f"{family.__name__}, {name}": one
    for family in (
        *(issued.okta_id, issued.entra_id, issued.auth0_id, issued.keycloak_id, issued.cognito_id, issued.google_id),
    )
    for name, one in family().items()
}


def settings(text: str, tmp_path: Path) -> AuthSettings:
    (tmp_path / "bertline.toml").write_text(text, encoding="utf-8")
    return load_settings(AuthSettings, "auth", file=tmp_path / "bertline.toml", environ={})


def checks(auth: AuthSettings) -> BearerTokens:
    return BearerTokens([trust(auth, StaticKeys("rsa", issuer=url)) for url in auth.issuers])


@pytest.mark.parametrize("name", ACCESS)
def test_a_token_is_taken_with_the_settings_of_the_guide(name: str, tmp_path: Path) -> None:
    """R4, R5: Okta has no ``typ``, Entra's programs have ``roles`` alone, Cognito has no ``aud``."""
    one = ACCESS[name]
    auth = settings(TABLE[one.provider], tmp_path)
    assert auth.issuers == (one.issuer,)
    assert outcome(checks(auth), one.signed()) == Client(one.client, PREDICT, "token")


def test_every_row_of_the_guide_is_tried() -> None:
    assert {one.provider for one in ACCESS.values()} == set(TABLE)


@pytest.mark.parametrize("name", [name for name, one in ACCESS.items() if one.header.get("typ") != "at+jwt"])
def test_nothing_is_looser_unless_it_is_set(name: str) -> None:
    """R4: the defaults stay those of RFC 9068."""
    one = ACCESS[name]
    auth = AuthSettings(issuers=(one.issuer,), audience=("api://default", "APP-ID", "bertline", "CLIENT", issued.API))
    assert outcome(checks(auth), one.signed()) is Check.TYPE


def widest(issuer: str) -> Iterator[AuthSettings]:
    """Everything that can be set is set as loosely as it goes."""
    every = ("APP-ID", "CLIENT", "bertline", "api://default", issued.API, "117")
    claims_ = ("roles", "permissions", "realm_access.roles", "cognito:groups", f"{issued.API}/roles", "scope", "email")
    for audience_claim, scopes in product(("aud", "client_id"), claims_):
        yield AuthSettings(
            issuers=(issuer,), audience=every, token_types=("at+jwt", "JWT", "absent"), scope_claims=(scopes,),
            client_claims=("sub",), clock_skew_s=300, audience_claim=audience_claim,
        )  # fmt: skip


@pytest.mark.parametrize("name", ID)
def test_an_id_token_never_passes(name: str, tmp_path: Path) -> None:
    """R4, R5: with the provider's settings, even where the audience is the client; with another's; with the loosest."""
    one = ID[name]
    for text in TABLE.values():
        parsed: dict[str, Any] = tomllib.loads(text)["auth"]
        auth = AuthSettings(**{**parsed, "issuers": (one.issuer,)})
        assert isinstance(outcome(checks(auth), one.signed()), Check)
        told = (auth.audience[0], None) if auth.audience_claim == "aud" else (None, auth.audience[0])
        renamed = one.signed(aud=told[0] or one.claims["aud"], client_id=told[1])
        assert isinstance(outcome(checks(auth), renamed), Check), "as if it were for this service"
    for auth in widest(one.issuer):
        assert outcome(checks(auth), one.signed()) is Check.ACCESS


@pytest.mark.parametrize("mark", ["nonce", "at_hash", "c_hash", "s_hash", "events"])
@pytest.mark.parametrize("typ", ["at+jwt", "JWT"])
def test_claims_of_other_token_types_refuse_a_token(mark: str, typ: str) -> None:
    """R4: Keycloak before 25.0 writes a nonce into access tokens; those cannot be told from ID tokens."""
    tokens = BearerTokens([Trust(StaticKeys("p256"), AUDIENCE, types=frozenset({"at+jwt", "JWT"}))])
    assert isinstance(outcome(tokens, token(header(typ=typ))), Client)
    assert outcome(tokens, token(header(typ=typ), claims(**{mark: "x"}))) is Check.ACCESS


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"auth_time": 1, "acr": "1", "amr": ["pwd"]}, True),
        ({"typ": "Bearer"}, True),
        ({"typ": "ID"}, False), ({"typ": "Refresh"}, False), ({"typ": "Logout"}, False), ({"typ": ["Bearer"]}, False),
        ({"token_use": "access"}, True), ({"token_use": "id"}, False), ({"token_use": 1}, False),
        ({"token_use": None, "client_id": None}, False),
        ({"client_id": AUDIENCE}, False), ({"aud": [AUDIENCE, "robot"]}, False), ({"azp": AUDIENCE}, False),
        ({"client_id": None, "azp": "robot", "scope": None}, False), ({"client_id": None, "azp": "robot"}, True),
        ({"client_id": AUDIENCE, "azpacr": "1"}, True),
    ],
)  # fmt: skip
def test_the_claims_that_mark_an_untyped_access_token(changes: dict[str, Any], passes: bool) -> None:
    """R4: what decides for a token without ``typ``."""
    tokens = BearerTokens([Trust(StaticKeys("p256"), AUDIENCE, types=frozenset({"absent"}))])
    found = outcome(tokens, token(header(typ=None), claims(**changes)))
    assert isinstance(found, Client) if passes else found is Check.ACCESS


@pytest.mark.parametrize("typ", ["absent", "none", "", "ABSENT", "application/absent", 7])
def test_a_typ_that_says_absent_is_not_absent(typ: Any) -> None:
    tokens = BearerTokens([Trust(StaticKeys("p256"), AUDIENCE, types=frozenset({"absent"}))])
    assert outcome(tokens, token(header(typ=typ))) is Check.TYPE


def test_tokens_that_cannot_be_used_are_refused_as_the_guide_says() -> None:
    """R4: Okta's org server publishes no key for them, Google's are opaque."""
    org = issued.okta_org()
    auth = AuthSettings(issuers=(org.issuer, issued.GOOGLE), audience=(org.issuer,), token_types=("absent", "JWT"))
    assert outcome(checks(auth), org.signed()) is Check.KEY
    assert outcome(checks(auth), GOOGLES_ACCESS_TOKEN) is Check.STRUCTURE
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    assert "Their key is not published, so they are rejected" in guide
    assert "its access tokens are opaque, and the only JWTs that it signs are ID tokens" in guide


def test_a_users_roles_never_widen_its_clients_scopes(tmp_path: Path) -> None:
    """R5: the user is an admin, the client may predict for it: ``scp`` is first and decides."""
    one = issued.entra()["user"]
    assert one.claims["roles"] == ["admin"]
    tokens = checks(settings(TABLE[one.provider], tmp_path))
    assert outcome(tokens, one.signed()) == Client("CLIENT", PREDICT, "token")
    assert outcome(tokens, one.signed(scp="other")) == Client("CLIENT", frozenset(), "token")


@pytest.mark.parametrize(
    ("names", "changes", "scopes"),
    [
        (("a.b.c",), {"a": {"b": {"c": "predict metrics"}}}, {Scope.PREDICT, Scope.METRICS}),
        (("resource_access.my.app.roles",), {"resource_access": {"my.app": {"roles": ["admin"]}}}, {Scope.ADMIN}),
        (("https://a.example/roles",), {"https://a.example/roles": ["predict"]}, {Scope.PREDICT}),
        (("a.b",), {"a.b": ["predict"], "a": {"b": ["admin"]}}, {Scope.PREDICT}),
        (("a.b", "scope"), {"a": ["b"]}, {Scope.PREDICT}),
        (("a", "scope"), {"a": []}, set()),
        (("a.",), {"a": {"": "admin"}}, {Scope.ADMIN}),
        (("x.y",), {}, set()),
    ],
)
def test_scopes_are_read_from_the_configured_claim(
    names: tuple[str, ...], changes: dict[str, Any], scopes: set[Scope]
) -> None:
    """R5: nested claims, and names with dots in them."""
    tokens = BearerTokens([Trust(StaticKeys("p256"), AUDIENCE, scope_claims=names)])
    assert outcome(tokens, token(body=claims(**changes))) == Client("robot", frozenset(scopes), "token")


@pytest.mark.parametrize("roles", [{"predict": True}, 7, ["predict", 1], None])
def test_scopes_of_another_type_are_refused_and_not_taken_for_none(roles: Any) -> None:
    """R5: ``roles`` of null is there, and is not a list."""
    tokens = BearerTokens([Trust(StaticKeys("p256"), AUDIENCE, scope_claims=("r.roles",))])
    assert outcome(tokens, token(body=claims(r={"roles": roles}))) is Check.CLAIMS


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"client_id": "OTHER"}, Check.AUDIENCE_CLIENT),
        ({"client_id": ["CLIENT"]}, Check.AUDIENCE_CLIENT),
        ({"client_id": None}, Check.AUDIENCE_CLIENT),
        ({"aud": "another-api"}, Check.AUDIENCE),
        ({"aud": "CLIENT"}, Check.AUDIENCE),
    ],
)
def test_without_aud_the_clients_that_are_listed_are_the_audience(
    changes: dict[str, Any], check: Check, tmp_path: Path
) -> None:
    """R4: Cognito; a token that names an audience after all is for that one."""
    one = issued.cognito()["robot"]
    assert outcome(checks(settings(TABLE[one.provider], tmp_path)), one.signed(**changes)) is check


def test_the_client_is_named_by_the_claim_that_is_set(tmp_path: Path) -> None:
    one = issued.okta()["user"]
    auth = settings(TABLE[one.provider] + '\nclient_claims = "uid"', tmp_path)
    assert outcome(checks(auth), one.signed()) == Client("00u1", PREDICT, "token")


def test_two_issuers_on_their_own_terms_over_http(tmp_path: Path) -> None:
    """R4, R5: the settings of one do not loosen the other."""
    with identity() as press, identity() as entra:
        text = (
            f'[auth]\nissuers = ["{press.url}", "{entra.url}"]\nscope_prefix = "bertline:"\n'
            f'[auth.terms."{entra.url}"]\naudience = "APP-ID"\ntoken_types = ["JWT"]\n'
            'scope_claims = ["scp", "roles"]\nscope_prefix = ""\n'
        )
        press.said["/keys"], entra.said["/keys"] = public("p256"), public("rsa")
        robot = issued.entra()["robot"]

        async def story() -> None:
            built = build(PerimeterSettings(auth=settings(text, tmp_path)), "http://127.0.0.1")
            async with built.running():
                await until(lambda: all(one.generation for one in built.providers))
                assert built.tokens is not None
                for sent, client in (
                    (token(body=claims(iss=press.url, scope="bertline:predict admin")), "robot"),
                    (robot.signed(iss=entra.url), "CLIENT"),
                ):
                    assert await built.tokens.client(sent) == Client(client, PREDICT, "token")
                for sent, check in (
                    (token(header(typ="JWT"), claims(iss=press.url)), Check.TYPE),
                    (token(body=claims(iss=entra.url)), Check.TYPE),
                    (robot.signed(iss=entra.url, aud="bertline"), Check.AUDIENCE),
                    (robot.signed(iss=press.url), Check.TYPE),
                ):
                    with pytest.raises(InvalidToken) as refusal:
                        await built.tokens.client(sent)
                    assert refusal.value.check is check

        asyncio.run(story())


def test_terms_without_an_issuer_or_with_an_empty_item_are_named(tmp_path: Path) -> None:
    url = "https://login.example"
    for text, sentence in (
        (
            f'[auth]\nissuers = ["{url}"]\n[auth.terms."{url}/"]\naudience = "x"',
            "the settings of auth do not fit together: "
            f"terms has {url}/, but issuers does not: write both exactly like the provider's iss",
        ),
        (
            f'[auth]\nissuers = ["{url}"]\n[auth.terms."{url}"]\ntoken_type = "JWT"',
            f"[auth] terms.{url}.token_type is 'JWT': extra inputs are not permitted",
        ),
        (
            f'[auth]\nissuers = ["{url}"]\n[auth.terms."{url}"]\naudience_claim = "azp"',
            f"[auth] terms.{url}.audience_claim is 'azp': input should be 'aud' or 'client_id'",
        ),
        ("[auth]\naudience = []", "[auth] audience is []: tuple should have at least 1 item"),
        ('[auth]\nscope_claims = [""]', "[auth] scope_claims is ['']: an item is empty: fill it in"),
    ):
        with pytest.raises(SettingsError) as refusal:
            settings(text, tmp_path)
        assert sentence in str(refusal.value)


def test_a_setting_of_one_name_may_be_written_as_one_and_from_the_environment(tmp_path: Path) -> None:
    environ = {"BERTLINE_AUTH_AUDIENCE": "a,b", "BERTLINE_AUTH_TOKEN_TYPES": "JWT, absent"}
    found = load_settings(AuthSettings, "auth", file=tmp_path / "none", environ=environ)
    assert (found.audience, found.token_types) == (("a", "b"), ("JWT", "absent"))
    assert settings('[auth]\naudience = "a"', tmp_path).audience == TokenTerms(audience=("a",)).audience


def test_every_refusal_has_a_sentence() -> None:
    assert set(SENTENCE) == set(Check)
