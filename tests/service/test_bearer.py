"""What a good bearer token stands for, on which terms, and for how long."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from bertline.errors import SettingsError
from bertline.service.guard import bearer
from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.invalid_token import SENTENCE, Check, InvalidToken
from bertline.service.guard.trust import Trust
from bertline.service.problems import STATUS
from tests.service.forging import AUDIENCE, ISSUER, StaticKeys, claims, header, token


class Clock:
    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


def tokens(*kids: str, clock: Any = time.time, **terms: Any) -> BearerTokens:
    return BearerTokens([Trust(StaticKeys(*(kids or ("p256",))), AUDIENCE, **terms)], now_s=clock)


def ask(checks: BearerTokens, sent: str) -> Client:
    return asyncio.run(checks.client(sent))


def refused(checks: BearerTokens, sent: str) -> Check:
    with pytest.raises(InvalidToken) as refusal:
        ask(checks, sent)
    return refusal.value.check


@pytest.mark.parametrize(
    ("kid", "algorithm"),
    [("rsa", "RS256"), ("rsa", "PS256"), ("p256", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")],
)
def test_each_default_algorithm_verifies_and_only_over_what_was_signed(kid: str, algorithm: str) -> None:
    checks, good = tokens("rsa", "p256", "ed"), token(kid=kid, algorithm=algorithm)
    assert ask(checks, good) == Client("robot", frozenset({Scope.PREDICT}), "token")
    head, _, signature = good.split(".")
    other = token(body=claims(client_id="admin"), kid=kid, algorithm=algorithm).split(".")[1]
    assert refused(checks, f"{head}.{other}.{signature}") is Check.SIGNATURE


def test_an_algorithm_that_is_not_listed_is_refused_and_accepted_once_it_is() -> None:
    sent = token(kid="p384", algorithm="ES384")
    assert refused(tokens("p384"), sent) is Check.ALGORITHM
    assert ask(tokens("p384", algorithms=frozenset({"ES384"})), sent).id == "robot"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_the_type_is_that_of_an_access_token_in_any_spelling(typ: str) -> None:
    assert ask(tokens(), token(header(typ=typ))).id == "robot"


def test_the_type_jwt_is_accepted_if_so_set() -> None:
    sent = token(header(typ="JWT"))
    assert refused(tokens(), sent) is Check.TYPE
    assert ask(tokens(types=frozenset({"at+jwt", "JWT"})), sent).id == "robot"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "robot"),
        ({"client_id": None, "azp": "portal"}, "portal"),
        ({"client_id": None}, "robot-7"),
        ({"client_id": "x" * 255}, "x" * 255),
    ],
)
def test_the_client_is_client_id_then_azp_then_sub(changes: dict[str, Any], name: str) -> None:
    assert ask(tokens(), token(body=claims(**changes))).id == name


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\u202eb", "\ud800", 7, ["robot"], {"a": 1}, True])
def test_a_strange_client_is_refused_and_not_passed_over(name: Any) -> None:
    assert refused(tokens(), token(body=claims(client_id=name))) is Check.CLIENT


def test_a_token_without_audience_is_rejected() -> None:
    assert refused(tokens(), token(body=claims(client_id=None, sub=None))) is Check.CLIENT


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "predict metrics  admin"}, {Scope.PREDICT, Scope.METRICS, Scope.ADMIN}),
        ({"scope": None, "scp": ["metrics", "mail.read"]}, {Scope.METRICS}),
        ({"scope": None, "scp": "metrics admin"}, {Scope.METRICS, Scope.ADMIN}),
        ({"scope": "PREDICT predictions bertline:admin", "scp": ["admin"]}, set()),
        ({"scope": None}, set()),
    ],
)
def test_only_known_scopes_are_accepted(changes: dict[str, Any], scopes: set[Scope]) -> None:
    assert ask(tokens(), token(body=claims(**changes))).scopes == scopes


def test_with_a_prefix_only_scopes_that_have_it_count() -> None:
    sent = token(body=claims(scope="admin bertline:predict bertline:bertline:metrics"))
    assert ask(tokens(scope_prefix="bertline:"), sent).scopes == {Scope.PREDICT}


@pytest.mark.parametrize("changes", [{"scope": ["predict"]}, {"scope": 1}, {"scope": None, "scp": ["predict", 1]}])
def test_scopes_of_the_right_type(changes: dict[str, Any]) -> None:
    checks = tokens()
    if isinstance(changes["scope"], list):  # a list in scope is what some providers send: it means the same
        assert ask(checks, token(body=claims(**changes))).scopes == {Scope.PREDICT}
    else:
        assert refused(checks, token(body=claims(**changes))) is Check.CLAIMS


@pytest.mark.parametrize("skew_s", [0.0, 60.0, 300.0])
def test_clocks_may_differ_by_the_skew_and_no_more(skew_s: float) -> None:
    now_s = 1_800_000_000

    def checks(at_s: float) -> BearerTokens:
        return tokens(clock=lambda: at_s, skew_s=skew_s)

    sent = token(body=claims(iat=now_s, nbf=now_s, exp=now_s + 10))
    assert ask(checks(now_s - skew_s), sent).id == "robot"
    assert refused(checks(now_s - skew_s - 1), sent) is Check.NOT_YET
    assert ask(checks(now_s + 10 + skew_s - 0.01), sent).id == "robot"
    assert refused(checks(now_s + 10 + skew_s), sent) is Check.EXPIRED


def test_our_name_may_be_one_of_several_audiences() -> None:
    assert ask(tokens(), token(body=claims(aud=["mail", AUDIENCE]))).id == "robot"


def test_a_token_without_kid_is_verified_only_where_one_key_fits() -> None:
    sent = token(header(kid=None))
    assert ask(tokens("rsa", "p256", "ed"), sent).id == "robot"
    assert refused(tokens("p256", "p256-other"), sent) is Check.KEY


def test_keys_with_the_same_kid_are_distinguished_by_type() -> None:
    keys = StaticKeys("rsa", "p256")
    keys.keys = tuple(type(one)("same", one.thumbprint, one.algorithms, one.key) for one in keys.keys)
    checks = BearerTokens([Trust(keys, AUDIENCE)])
    for kid, algorithm in (("rsa", "RS256"), ("p256", "ES256")):
        assert ask(checks, token(header(kid="same", alg=algorithm), kid=kid, algorithm=algorithm)).id == "robot"


def test_an_issuer_cannot_speak_for_another() -> None:
    ours = Trust(StaticKeys("p256"), AUDIENCE)
    theirs = Trust(StaticKeys("p256-theirs", issuer="https://other.example"), AUDIENCE, scope_prefix="bertline:")
    checks = BearerTokens([ours, theirs])
    body = claims(iss="https://other.example", scope="predict bertline:metrics")
    assert ask(checks, token(body=body, kid="p256-theirs")).scopes == {Scope.METRICS}
    assert ask(checks, token()).scopes == {Scope.PREDICT}
    assert refused(checks, token(body=body)) is Check.KEY
    assert refused(checks, token(header(kid="p256-theirs"), body)) is Check.SIGNATURE


@pytest.mark.parametrize(
    "terms",
    [
        {"audience": ""},
        {"types": frozenset()},
        {"algorithms": frozenset()},
        {"algorithms": frozenset({"none"})},
        {"algorithms": frozenset({"RS256", "HS256"})},
        {"skew_s": -1},
        {"skew_s": 301},
        {"skew_s": float("nan")},
    ],
)
def test_invalid_terms_are_refused_at_startup(terms: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"^[A-Z][^\n]+https://issuer\.example[^\n]+\.$"):
        Trust(StaticKeys("p256"), **{"audience": AUDIENCE, **terms})


def test_issuers_are_named_once_each() -> None:
    trust = Trust(StaticKeys("p256"), AUDIENCE)
    for issuers in ([], [trust, trust]):
        with pytest.raises(SettingsError, match="once each"):
            BearerTokens(issuers)


@pytest.mark.parametrize("check", Check)
def test_every_refusal_is_a_challenge_that_a_client_can_read(check: Check) -> None:
    problem = InvalidToken(check)
    assert STATUS[problem.code] == 401
    assert problem.message == f"The bearer token is refused: {SENTENCE[check]}."
    # RFC 6750 section 3: these characters, and no others, in error_description.
    pattern = r'Bearer error="invalid_token", error_description="[\x20-\x21\x23-\x5B\x5D-\x7E]+"'
    assert re.fullmatch(pattern, problem.headers["WWW-Authenticate"])


class TestRemembering:
    def test_a_verified_token_is_not_verified_again_for_five_minutes(self) -> None:
        keys, clock = StaticKeys("p256"), Clock()
        checks, sent = BearerTokens([Trust(keys, AUDIENCE)], now_s=clock), token(body=claims(exp=clock.now_s + 1e4))
        for _ in range(3):
            ask(checks, sent)
        assert keys.asked == ["p256"]
        clock.now_s += bearer.CACHE_S
        ask(checks, sent)
        assert keys.asked == ["p256"] * 2

    def test_it_expires_all_the_same(self) -> None:
        clock = Clock()
        checks, sent = tokens(clock=clock), token(body=claims(exp=clock.now_s + 10))
        assert ask(checks, sent).id == "robot"
        clock.now_s += 10 + 60
        assert refused(checks, sent) is Check.EXPIRED

    def test_a_key_that_is_taken_away_takes_its_tokens_along(self) -> None:
        keys = StaticKeys("p256", "ed")
        checks = BearerTokens([Trust(keys, AUDIENCE)])
        sent, other = token(), token(kid="ed", algorithm="EdDSA")
        assert ask(checks, sent) == ask(checks, other)
        keys.keys, keys.generation = keys.keys[1:], keys.generation + 1
        assert refused(checks, sent) is Check.KEY
        assert ask(checks, other).id == "robot"

    def test_the_cache_is_bounded_and_evicts_the_least_recently_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bearer, "MOST_CACHED", 2)
        keys = StaticKeys("p256")
        checks = BearerTokens([Trust(keys, AUDIENCE)])
        first, second, third = (token(body=claims(jti=str(number))) for number in range(3))
        for sent in (first, second, first, third, first):
            ask(checks, sent)
        assert len(keys.asked) == 3
        ask(checks, second)
        assert len(keys.asked) == 4

    def test_a_refused_token_is_not_remembered(self) -> None:
        keys = StaticKeys("p256")
        checks, sent = BearerTokens([Trust(keys, AUDIENCE)]), token(body=claims(aud="mail"))
        assert [refused(checks, sent) for _ in range(2)] == [Check.AUDIENCE] * 2
        assert len(keys.asked) == 2

    def test_the_token_itself_is_not_stored(self) -> None:
        checks, sent = tokens(), token()
        ask(checks, sent)
        assert sent not in repr(vars(checks))
        assert ISSUER in repr(vars(checks))
