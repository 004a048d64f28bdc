"""Keys of an identity provider over real HTTP: found, refreshed, rotated, and used on while it is out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator

from bertline.errors import SettingsError
from bertline.service.guard import discovery, provider
from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.discovery import KeySet
from bertline.service.guard.invalid_token import Check, InvalidToken
from bertline.service.guard.keys import verifying_keys
from bertline.service.guard.provider import UNKNOWN_KEY_EVERY_S, Provider
from bertline.service.guard.trust import Trust
from bertline.service.problems import STATUS
from bertline.serving.problems import Code, Problem
from tests.service.forging import AUDIENCE, claims, header, key, public, token
from tests.service.identity import OAUTH, OIDC, Identity, identity

DAY_S = 86_400.0


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


async def until(true: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.005)


async def refused(checks: BearerTokens, sent: str) -> Check | Code:
    with pytest.raises(Problem) as refusal:
        await checks.client(sent)
    problem = refusal.value
    return problem.check if isinstance(problem, InvalidToken) else problem.code


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def of(said: Identity, **changes: Any) -> dict[str, Any]:
    return claims(iss=said.url, **changes)


def test_keys_are_discovered_and_tokens_verified() -> None:
    async def story(said: Identity) -> None:
        async with Provider(said.url) as keys:
            checks = BearerTokens([Trust(keys, AUDIENCE)])
            assert keys.age_s is None
            assert await refused(checks, token(body=of(said))) is Code.NOT_READY
            await until(lambda: keys.generation)
            assert (await checks.client(token(body=of(said)))).id == "robot"
            assert 0 <= (keys.age_s or -1) < 60
            assert said.asked == [OIDC, "/keys"]

    with identity() as said:
        said.said["/keys"] = public("p256", "rsa")
        asyncio.run(story(said))


@pytest.mark.parametrize("path", ["", "/realms/press"])
def test_the_metadata_of_rfc_8414_are_discovered_too(path: str) -> None:
    async def story(said: Identity) -> None:
        async with Provider(said.url + path) as keys:
            await until(lambda: keys.generation)
            assert [one.kid for one in await keys.find("p256")] == ["p256"]

    with identity() as said:
        del said.said[OIDC]
        said.said |= {OAUTH + path: {"issuer": said.url + path, "jwks_uri": f"{said.url}/k"}, "/k": public("p256")}
        asyncio.run(story(said))


def test_keys_that_cannot_verify_are_left_out() -> None:
    unusable = [
        *public("rsa-enc", use="enc")["keys"], *public("rsa-oaep", alg="RSA-OAEP")["keys"], *public("weak")["keys"],
        *public("p256-wrap", key_ops=["wrapKey"])["keys"], {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "kid": "x25519"}, {"kty": "AKP", "kid": "post-quantum"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no point"}, {"kty": "RSA"}, "a key", None, {},
        key("p256-published").as_dict(private=True), {**public("p256")["keys"][0], "kid": 7},
    ]  # fmt: skip

    async def story(said: Identity) -> None:
        async with Provider(said.url) as keys:
            await until(lambda: keys.generation)
            assert {one.kid for one in await keys.find(None)} == {"p256", "rsa-only"}
            [bound] = await keys.find("rsa-only")
            assert bound.algorithms == {"PS256"}

    with identity() as said:
        said.said["/keys"] = {"keys": [*unusable, *public("p256")["keys"], *public("rsa-only", alg="PS256")["keys"]]}
        asyncio.run(story(said))


def _elsewhere(said: Identity) -> None:
    said.said[OIDC]["jwks_uri"] = "http://keys.example/keys"


def _redirects(said: Identity) -> None:
    said.said |= {"/keys": (302, {"Location": f"{said.url}/moved"}), "/moved": public("p256")}


BROKEN: dict[str, tuple[Callable[[Identity], object], str]] = {
    "another issuer": (lambda said: said.said[OIDC].update(issuer="https://evil.example"), "another issuer"),
    "an issuer with a slash": (lambda said: said.said[OIDC].update(issuer=f"{said.url}/"), "another issuer"),
    "no metadata": (lambda said: said.said.pop(OIDC), "another issuer"),
    "metadata that are a list": (lambda said: said.said.update({OIDC: []}), "another issuer"),
    "keys over http elsewhere": (_elsewhere, "no jwks_uri that is an https address"),
    "keys in a file": (lambda said: said.said[OIDC].update(jwks_uri="file:///etc/passwd"), "no jwks_uri that is"),
    "keys nowhere": (lambda said: said.said[OIDC].update(jwks_uri=7), "no jwks_uri that is"),
    "keys at no address": (lambda said: said.said[OIDC].update(jwks_uri="https://[::1"), "no jwks_uri that is"),
    "keys by redirect": (_redirects, "no JWK set"),
    "an error for keys": (lambda said: said.said.update({"/keys": (500, {})}), "no JWK set"),
    "keys that are no JSON": (lambda said: said.said.update({"/keys": b"<html>"}), "no JWK set"),
    "keys 100,000 deep": (lambda said: said.said.update({"/keys": b"[" * 100_000}), "no JWK set"),
    "keys of 256 KiB and a byte": (lambda said: said.said.update({"/keys": b" " * (256 * 1024 + 1)}), "262,144 bytes"),
    "no answer": (lambda said: said.held.clear(), "within 0.3 s"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_invalid_provider_is_logged_once_and_retried(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_it, sentence = BROKEN[name]
    for constant in ("FIRST_RETRY_S", "LONGEST_RETRY_S"):
        monkeypatch.setattr(provider, constant, 0.01)
    if name == "no answer":
        monkeypatch.setattr(discovery, "TIMEOUT_S", 0.3)
    caplog.set_level("INFO", logger="bertline")

    async def story(said: Identity) -> None:
        good = {OIDC: dict(said.said[OIDC]), "/keys": public("p256")}
        break_it(said)
        async with Provider(said.url) as keys:
            checks, sent = BearerTokens([Trust(keys, AUDIENCE)]), token(body=of(said))
            await until(lambda: len(said.asked) >= 5 and warnings_of(caplog))
            with pytest.raises(Problem, match="does not answer") as refusal:
                await checks.client(sent)
            assert (STATUS[refusal.value.code], refusal.value.headers["Retry-After"]) == (503, "5")
            said.held.set()
            said.said = good
            await until(lambda: keys.generation)
            assert (await checks.client(sent)).id == "robot"
        assert "/moved" not in said.asked

    with identity() as said:
        asyncio.run(story(said))
    [warning] = warnings_of(caplog)
    assert sentence in warning
    assert "answers again" in caplog.text


def test_while_the_provider_is_out_its_tokens_are_taken_for_a_day(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()

    async def story() -> None:
        with identity() as said:
            said.said["/keys"] = public("p256")
            keys = Provider(said.url, clock_s=clock)
            await keys.__aenter__()
            await until(lambda: keys.generation)
        try:
            checks = BearerTokens([Trust(keys, AUDIENCE)])
            for number in range(3):  # unknown keys make it ask, which fails
                sent = token(header(kid=f"p256-{number}"), of(said))
                assert await refused(checks, sent) is Check.KEY
                clock.now_s += UNKNOWN_KEY_EVERY_S
            clock.now_s = 1_000 + DAY_S
            good = token(body=of(said))
            assert (await checks.client(good)).id == "robot"
            assert keys.age_s == DAY_S
            clock.now_s += 1
            assert await refused(checks, good) is Code.NOT_READY, "a remembered token is no better"
        finally:
            await keys.__aexit__()

    asyncio.run(story())
    [warning] = warnings_of(caplog)
    assert "cannot be reached (ConnectError)" in warning
    assert "until they are 86400 s old" in warning


def test_a_new_key_is_fetched_at_once_and_a_removed_one_invalidates_its_tokens() -> None:
    async def story(said: Identity) -> None:
        async with Provider(said.url) as keys:
            checks = BearerTokens([Trust(keys, AUDIENCE)])
            await until(lambda: keys.generation)
            old, new = token(body=of(said)), token(body=of(said), kid="ed-new", algorithm="EdDSA")
            assert (await checks.client(old)).id == "robot"
            said.said["/keys"] = public("ed-new")
            assert (await checks.client(new)).id == "robot"
            assert await refused(checks, old) is Check.KEY

    with identity() as said:
        said.said["/keys"] = public("p256")
        asyncio.run(story(said))


def test_a_set_that_has_become_empty_counts(caplog: pytest.LogCaptureFixture) -> None:
    async def story(said: Identity) -> None:
        async with Provider(said.url, refresh_s=0.02) as keys:
            checks, sent = BearerTokens([Trust(keys, AUDIENCE)]), token(body=of(said))
            await until(lambda: keys.generation)
            assert (await checks.client(sent)).id == "robot"
            said.said["/keys"] = {"keys": []}
            await until(lambda: keys.generation == 2)
            assert await refused(checks, sent) is Check.KEY

    with identity() as said:
        said.said["/keys"] = public("p256")
        asyncio.run(story(said))
    assert ["has no usable key" in line for line in warnings_of(caplog)] == [True]


def test_keys_are_refreshed_without_anyone_asking() -> None:
    async def story(said: Identity) -> None:
        async with Provider(said.url, refresh_s=0.02) as keys:
            await until(lambda: said.fetches() >= 3)
            assert keys.generation == 1, "the same keys are the same generation"
            said.said["/keys"] = public("p256", "rsa")
            await until(lambda: keys.generation == 2)

    with identity() as said:
        said.said["/keys"] = public("p256")
        asyncio.run(story(said))


def test_unknown_keys_trigger_at_most_one_fetch_in_30_s() -> None:
    clock = Clock()

    async def story(said: Identity) -> None:
        async with Provider(said.url, clock_s=clock) as keys:
            checks = BearerTokens([Trust(keys, AUDIENCE)])
            await until(lambda: keys.generation)

            async def flood(how_many: int) -> set[Check | Code]:
                sent = (token(header(kid=f"p256 {clock.now_s} {number}"), of(said)) for number in range(how_many))
                return set(await asyncio.gather(*(refused(checks, one) for one in sent)))

            assert said.fetches() == 1
            for seconds, fetches in ((0, 2), (29, 2), (1, 3), (30, 4), (0, 4)):
                clock.now_s += seconds
                assert await flood(300) == {Check.KEY}
                assert said.fetches() == fetches
            assert (await checks.client(token(body=of(said)))).id == "robot"

    with identity() as said:
        said.said["/keys"] = public("p256")
        asyncio.run(story(said))


def test_concurrent_requests_share_a_fetch_and_may_be_cancelled() -> None:
    async def story(said: Identity) -> None:
        async with Provider(said.url) as keys:
            checks = BearerTokens([Trust(keys, AUDIENCE)])
            await until(lambda: keys.generation)
            said.said["/keys"] = public("p256", "p256-new")
            said.held.clear()
            asking: list[Awaitable[Client]] = [
                asyncio.create_task(checks.client(token(body=of(said, jti=str(number)), kid="p256-new")))
                for number in range(20)
            ]
            await until(lambda: said.asked.count(OIDC) == 2)
            asking[0].cancel()  # type: ignore[attr-defined]
            said.held.set()
            first, *others = await asyncio.gather(*asking, return_exceptions=True)
            assert isinstance(first, asyncio.CancelledError)
            assert others == [Client("robot", frozenset({Scope.PREDICT}), "token")] * 19
            assert said.fetches() == 2

    with identity() as said:
        said.said["/keys"] = public("p256")
        asyncio.run(story(said))


def test_a_fetch_that_has_just_ended_is_not_waited_for_again() -> None:
    class Answers:
        def __init__(self) -> None:
            self.asked, self.answered = 0, asyncio.Event()

        async def key_set(self) -> KeySet:
            self.asked += 1
            self.answered.set()  # whoever waits for this goes on before the fetch has told those who wait for it
            return KeySet(verifying_keys(public("p256")), None)

    async def story() -> None:
        keys, answers = Provider("https://issuer.example"), Answers()
        keys._discovery = answers  # type: ignore[assignment]
        first = asyncio.create_task(keys._share_fetch())
        await answers.answered.wait()
        assert await keys.find("p256-new") == ()
        assert answers.asked == 2
        await first

    asyncio.run(story())


@pytest.mark.parametrize(
    "issuer",
    ["http://issuer.example", "issuer.example", "", "ftp://127.0.0.1", "https://", "https://a?b", "https://a#b",
     "https://u:p@a", "http://127.0.0.1.evil.example", "https://[::1"],
)  # fmt: skip
def test_an_issuer_that_cannot_be_trusted_is_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(SettingsError, match=r"^The issuer must be an https address"):
        Provider(issuer)


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:8080", "http://[::1]/realm", "http://localhost", "http://a.localhost"]
)
def test_an_issuer_on_this_machine_needs_no_https(issuer: str) -> None:
    assert Provider(issuer).issuer == issuer


def test_times_must_be_positive() -> None:
    for terms in ({"refresh_s": 0.0}, {"keys_max_age_s": -1.0}):
        with pytest.raises(SettingsError, match="must be positive"):
            Provider("https://issuer.example", **terms)


# ------------------------------------------------------------------------------------- a provider by other people


@pytest.fixture(scope="session")
def iam_server(iam_server: Any) -> Any:
    """Canaille, without the handlers and filters that it gives the root of all logs, other tests' too."""
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if type(one).__module__.startswith("_pytest")]
    for handler in root.handlers:
        handler.filters.clear()
    return iam_server


@pytest.fixture
def registered(iam_server: Any) -> dict[str, Any]:
    """A client of a live Canaille, by its registration endpoint (RFC 7591), with its issuer's metadata."""
    metadata = httpx.get(f"{iam_server.url}.well-known/openid-configuration").json()
    wanted = {
        "client_name": "robot", "redirect_uris": ["https://robot.example/back"], "scope": "openid",
        "grant_types": ["client_credentials", "password"], "token_endpoint_auth_method": "client_secret_basic",
    }  # fmt: skip
    client = httpx.post(metadata["registration_endpoint"], json=wanted).raise_for_status().json()
    known = iam_server.backend.get(iam_server.models.Client, client_id=client["client_id"])
    iam_server.backend.update(known, scope=["openid", "predict", "metrics"])  # the administrator's part
    iam_server.backend.save(known)
    return {**metadata, "id": client["client_id"], "secret": client["client_secret"]}


def _checked(issuer: str, sent: str, **terms: Any) -> Client:
    async def story() -> Client:
        async with Provider(issuer) as keys:
            await until(lambda: keys.generation)
            return await BearerTokens([Trust(keys, **terms)]).client(sent)

    return asyncio.run(story())


def test_a_token_of_canaille_with_authlibs_rfc_9068_tokens(iam_server: Any, registered: dict[str, Any]) -> None:
    from canaille.oidc.jose import server_jwks
    from canaille.oidc.provider import authorization

    class AccessTokens(JWTBearerTokenGenerator):
        def get_jwks(self) -> Any:
            return server_jwks(include_inactive=False)

        def get_audiences(self, client: Any, user: Any, scope: str) -> list[str]:
            return ["https://mail.example", AUDIENCE]

    authorization.register_token_generator("client_credentials", AccessTokens(registered["issuer"]))
    with OAuth2Client(registered["id"], registered["secret"], scope="predict metrics") as robot:
        sent = robot.fetch_token(registered["token_endpoint"], grant_type="client_credentials")["access_token"]
    expected = Client(registered["id"], frozenset({Scope.PREDICT, Scope.METRICS}), "token")
    assert _checked(registered["issuer"], sent, audience=AUDIENCE) == expected
    with pytest.raises(InvalidToken, match="aud does not name this service"):
        _checked(registered["issuer"], sent, audience="another")


def test_canailles_own_tokens_have_the_form_of_id_tokens_and_are_refused(
    iam_server: Any, registered: dict[str, Any]
) -> None:
    """R4: Canaille builds them with Authlib's ``generate_id_token``: the audience is the client, there is no scope."""
    user = iam_server.random_user(password="correct horse")
    with OAuth2Client(registered["id"], registered["secret"], scope="openid") as robot:
        sent = robot.fetch_token(
            registered["token_endpoint"], grant_type="password", username=user.user_name, password="correct horse"
        )["access_token"]
    terms = {"audience": registered["id"]}
    with pytest.raises(InvalidToken, match="typ is not that of an access token"):
        _checked(registered["issuer"], sent, **terms)
    with pytest.raises(InvalidToken, match="its claims are not those of an access token"):
        _checked(registered["issuer"], sent, **terms, types=frozenset({"JWT"}))
