"""Tokens as attackers make them: each is refused by the check that is there for it, beside a good one that passes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwe

from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.invalid_token import Check, InvalidToken
from bertline.service.guard.trust import Trust
from tests.service.forging import AUDIENCE, CANARY, StaticKeys, b64, claims, header, key, public, sealed, token
from tests.service.identity import identity

KIDS = ("rsa", "p256", "p384", "ed")


def mac(secret: bytes, **changes: Any) -> str:
    """Signed with a public key as if it were a shared secret (RFC 8725 section 2.1)."""
    signed = (
        f"{b64(json.dumps(header(alg='HS256', kid='rsa', **changes)).encode())}.{b64(json.dumps(claims()).encode())}"
    )
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def unsigned(algorithm: str, signature: str = "AA") -> str:
    head, body, _ = token(header(alg=algorithm)).split(".")
    return f"{head}.{body}.{signature}"


def with_signature(signature: bytes, **good: Any) -> str:
    return f"{token(**good).rpartition('.')[0]}.{b64(signature)}"


def encrypted() -> str:
    head = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "typ": "at+jwt"}
    return jwe.encrypt_compact(head, json.dumps(claims()), key("rsa"), algorithms=["RSA-OAEP-256", "A256GCM"])


def respelled() -> str:
    """The same bytes in base64url with other bits where none count: 86 letters have two too many."""
    sent = token()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return sent[:-1] + letters[letters.index(sent[-1]) ^ 1]


def attacker(**changes: Any) -> str:
    return sealed(header(alg="RS256", kid="rsa", **changes), claims(), key("rsa-attacker"), "RS256")


def text(value: dict[str, Any]) -> str:
    return json.dumps(value)


NOW_S = int(time.time())
BODY = text(claims())[:-1]
HEAD = text(header())[:-1]
ZOO: dict[str, tuple[Callable[[], str], Check]] = {
    **{f"alg {name}": (lambda name=name: unsigned(name), Check.ALGORITHM) for name in ("none", "None", "NONE", "nOnE")},
    "alg none, empty signature": (lambda: unsigned("none", ""), Check.STRUCTURE),
    "alg none, two parts": (lambda: unsigned("none").rpartition(".")[0], Check.STRUCTURE),
    "alg missing": (lambda: token(header(alg=None)), Check.ALGORITHM),
    "alg a list": (lambda: token(header(alg=["ES256"])), Check.ALGORITHM),
    "alg in lower case": (lambda: token(header(alg="es256")), Check.ALGORITHM),
    "HS256 by public PEM": (lambda: mac(key("rsa").as_pem(private=False)), Check.ALGORITHM),
    "HS256 by public DER": (lambda: mac(key("rsa").as_der(private=False)), Check.ALGORITHM),
    "HS256 by an empty secret": (lambda: mac(b""), Check.ALGORITHM),
    "RS256 with the kid of a curve": (
        lambda: sealed(header(alg="RS256"), claims(), key("rsa"), "RS256"), Check.KEY),
    "ES256 by a P-384 key": (lambda: sealed(header(kid="p384"), claims(), key("p384"), "ES256"), Check.KEY),
    "EdDSA said, ES256 signed": (lambda: sealed(header(alg="EdDSA"), claims(), key("p256"), "ES256"), Check.KEY),
    "PS256 said, RS256 signed": (
        lambda: sealed(header(alg="PS256", kid="rsa"), claims(), key("rsa"), "RS256"), Check.SIGNATURE),
    "another's key": (lambda: attacker(), Check.SIGNATURE),
    "signature stripped": (lambda: token().rpartition(".")[0], Check.STRUCTURE),
    "signature empty": (lambda: token().rpartition(".")[0] + ".", Check.STRUCTURE),
    "signature truncated": (lambda: token()[:-2], Check.SIGNATURE),
    "signature of 1 byte": (lambda: with_signature(b"\0"), Check.SIGNATURE),
    "signature respelled": (respelled, Check.STRUCTURE),
    "r = s = 0": (lambda: with_signature(bytes(64)), Check.SIGNATURE),
    "r = 0": (lambda: with_signature(bytes(32) + b"\1" * 32), Check.SIGNATURE),
    "s = 0": (lambda: with_signature(b"\1" * 32 + bytes(32)), Check.SIGNATURE),
    "r, s beyond the order": (lambda: with_signature(b"\xff" * 64), Check.SIGNATURE),
    "Ed25519 zeros": (lambda: with_signature(bytes(64), kid="ed", algorithm="EdDSA"), Check.SIGNATURE),
    "RSA zeros": (lambda: with_signature(bytes(256), kid="rsa", algorithm="RS256"), Check.SIGNATURE),
    "RSA all ones": (lambda: with_signature(b"\xff" * 256, kid="rsa", algorithm="RS256"), Check.SIGNATURE),
    "embedded jwk": (lambda: attacker(jwk=public("rsa-attacker")["keys"][0]), Check.HEADER),
    "embedded jwk of the issuer": (lambda: token(header(jwk=public("p256")["keys"][0])), Check.HEADER),
    "x5c": (lambda: attacker(x5c=["MIIB"]), Check.HEADER),
    "crit": (lambda: token(header(crit=["exp"], exp=1)), Check.HEADER),
    "crit empty": (lambda: token(header(crit=[])), Check.HEADER),
    "b64 false": (lambda: token(header(b64=False, crit=["b64"])), Check.HEADER),
    "b64 false, not critical": (lambda: token(header(b64=False)), Check.HEADER),
    "zip": (lambda: token(header(zip="DEF")), Check.HEADER),
    "JWE": (encrypted, Check.STRUCTURE),
    "kid a path": (lambda: token(header(kid="../../../../dev/null")), Check.KEY),
    "kid SQL": (lambda: token(header(kid="x' UNION SELECT 'secret' --")), Check.KEY),
    "kid with null bytes": (lambda: token(header(kid="p256\0")), Check.KEY),
    "kid null": (lambda: token(text({**header(), "kid": None}).encode()), Check.KEY),
    "kid a number": (lambda: token(header(kid=1)), Check.KEY),
    "kid an object": (lambda: token(header(kid={"$ne": ""})), Check.KEY),
    "kid in other letters": (lambda: token(header(kid="P256")), Check.KEY),
    "kid of 5 kB": (lambda: token(header(kid="k" * 5_000)), Check.KEY),
    "kid of 10 kB": (lambda: token(header(kid="k" * 10_000)), Check.STRUCTURE),
    "no kid, several fit": (lambda: sealed(header(alg="RS256", kid=""), claims(), key("rsa"), "RS256"), Check.KEY),
    "8 KiB and a byte": (lambda: "a" * (8 * 1024 + 1), Check.STRUCTURE),
    "huge": (lambda: token(body=claims(more="x" * 1_000_000)), Check.STRUCTURE),
    "ID token": (lambda: token(header(typ="JWT")), Check.TYPE),
    "ID token typed as an access token": (lambda: token(body=claims(nonce="n")), Check.ACCESS),
    "ID token with the hash of an access token": (lambda: token(body=claims(at_hash="a")), Check.ACCESS),
    "ID token by token_use": (lambda: token(body=claims(token_use="id")), Check.ACCESS),
    "ID token by Keycloak's typ": (lambda: token(body=claims(typ="ID")), Check.ACCESS),
    "logout token": (lambda: token(body=claims(events={})), Check.ACCESS),
    "typ missing": (lambda: token(header(typ=None)), Check.TYPE),
    "typ a list": (lambda: token(header(typ=["at+jwt"])), Check.TYPE),
    "typ of a logout token": (lambda: token(header(typ="logout+jwt")), Check.TYPE),
    "iss of another": (lambda: token(body=claims(iss="https://evil.example")), Check.ISSUER),
    "iss with a slash": (lambda: token(body=claims(iss="https://issuer.example/")), Check.ISSUER),
    "iss missing": (lambda: token(body=claims(iss=None)), Check.ISSUER),
    "iss a list": (lambda: token(body=claims(iss=["https://issuer.example"])), Check.ISSUER),
    "aud of another": (lambda: token(body=claims(aud="mail")), Check.AUDIENCE),
    "aud missing": (lambda: token(body=claims(aud=None)), Check.AUDIENCE),
    "aud empty": (lambda: token(body=claims(aud=[])), Check.AUDIENCE),
    "aud contains ours as a part": (lambda: token(body=claims(aud="bertline-staging")), Check.AUDIENCE),
    "aud nested": (lambda: token(body=claims(aud=[[AUDIENCE]])), Check.AUDIENCE),
    "aud an object": (lambda: token(body=claims(aud={AUDIENCE: 1})), Check.AUDIENCE),
    "expired": (lambda: token(body=claims(exp=NOW_S - 61)), Check.EXPIRED),
    "exp 0": (lambda: token(body=claims(exp=0)), Check.EXPIRED),
    "exp negative": (lambda: token(body=claims(exp=-1)), Check.EXPIRED),
    "exp of a long time ago": (lambda: token(body=claims(exp=-1.5e300)), Check.EXPIRED),
    "exp missing": (lambda: token(body=claims(exp=None)), Check.CLAIMS),
    "exp null": (lambda: token(body=text({**claims(), "exp": None}).encode()), Check.CLAIMS),
    "exp a string": (lambda: token(body=claims(exp=str(NOW_S + 300))), Check.CLAIMS),
    "exp true": (lambda: token(body=claims(exp=True)), Check.CLAIMS),
    "exp a list": (lambda: token(body=claims(exp=[NOW_S + 300])), Check.CLAIMS),
    "exp NaN": (lambda: token(body=claims(exp=float("nan"))), Check.STRUCTURE),
    "exp Infinity": (lambda: token(body=claims(exp=float("inf"))), Check.STRUCTURE),
    "exp 1e400": (lambda: token(body=text(claims(exp=None))[:-1].encode() + b', "exp": 1e400}'), Check.CLAIMS),
    "exp of 400 digits": (lambda: token(body=claims(exp=10**400)), Check.CLAIMS),
    "exp of 5,000 digits": (
        lambda: token(body=text(claims(exp=None))[:-1].encode() + b', "exp": 1' + b"0" * 5_000 + b"}"),
        Check.STRUCTURE),
    "nbf in the future": (lambda: token(body=claims(nbf=NOW_S + 100_000)), Check.NOT_YET),
    "nbf a string": (lambda: token(body=claims(nbf="0")), Check.CLAIMS),
    "iat in the future": (lambda: token(body=claims(iat=NOW_S + 100_000)), Check.NOT_YET),
    "iat false": (lambda: token(body=claims(iat=False)), Check.CLAIMS),
    "scope an object": (lambda: token(body=claims(scope={"predict": True})), Check.CLAIMS),
    "two names in the claims": (lambda: token(body=f'{BODY}, "aud": "mail"}}'.encode()), Check.STRUCTURE),
    "two names by escapes": (lambda: token(body=f'{BODY}, "\\u0061ud": "mail"}}'.encode()), Check.STRUCTURE),
    "two names in the header": (lambda: token(f'{HEAD}, "alg": "none"}}'.encode()), Check.STRUCTURE),
    "two names deep inside": (lambda: token(body=f'{BODY}, "x": {{"a": 1, "a": 2}}}}'.encode()), Check.STRUCTURE),
    "claims not UTF-8": (lambda: token(body=f'{BODY}, "x": "'.encode() + b'\xff"}'), Check.STRUCTURE),
    "claims in UTF-16": (lambda: token(body=text(claims()).encode("utf-16")), Check.STRUCTURE),
    "claims with a byte order mark": (lambda: token(body=b"\xef\xbb\xbf" + text(claims()).encode()), Check.STRUCTURE),
    "header not UTF-8": (lambda: token(f'{HEAD}, "x": "'.encode() + b'\xc0\x80"}'), Check.STRUCTURE),
    "header in Unicode": (lambda: token(header(alg="ＥＳ256")), Check.ALGORITHM),
    "typ in Unicode": (lambda: token(header(typ="at+jwt\u200b")), Check.TYPE),
    "Unicode beside base64": (lambda: token() + "é", Check.STRUCTURE),
    "Unicode digits": (lambda: token().replace("e", "е", 1), Check.STRUCTURE),
    "claims a list": (lambda: token(body=b"[1]"), Check.STRUCTURE),
    "claims a string": (lambda: token(body=b'"x"'), Check.STRUCTURE),
    "claims nothing": (lambda: token(body=b" "), Check.STRUCTURE),
    "header a list": (lambda: token(b'["ES256"]'), Check.STRUCTURE),
    "lists 2,000 deep": (lambda: token(body=b"[" * 2_000 + b"]" * 2_000), Check.STRUCTURE),
    "objects 1,000 deep": (
        lambda: token(body=f'{BODY}, "x": '.encode() + b'{"":' * 1_000 + b"1" + b"}" * 1_001), Check.STRUCTURE),
    "a nested token": (lambda: token(header(cty="JWT"), token().encode()), Check.STRUCTURE),
    "whitespace before": (lambda: f" {token()}", Check.STRUCTURE),
    "whitespace behind": (lambda: f"{token()} ", Check.STRUCTURE),
    "a line break behind": (lambda: f"{token()}\n", Check.STRUCTURE),
    "a tab within": (lambda: token().replace(".", ".\t", 1), Check.STRUCTURE),
    "padding": (lambda: f"{token()}==", Check.STRUCTURE),
    "standard base64": (lambda: token().rpartition(".")[0] + "." + "+/" * 43, Check.STRUCTURE),
    "four parts": (lambda: f"{token()}.AA", Check.STRUCTURE),
    "empty": (lambda: "", Check.STRUCTURE),
    "dots": (lambda: "..", Check.STRUCTURE),
    "JSON serialisation": (lambda: text({"payload": token().split(".")[1]}), Check.STRUCTURE),
    "a null byte": (lambda: f"{token()}\0", Check.STRUCTURE),
    "a lone surrogate": (lambda: f"{token()}\ud800", Check.STRUCTURE),
}  # fmt: skip


def outcome(checks: BearerTokens, sent: str) -> Client | Check:
    try:
        return asyncio.run(checks.client(sent))
    except InvalidToken as refusal:
        return refusal.check


@pytest.mark.parametrize("name", ZOO)
def test_forged(name: str) -> None:
    forge, check = ZOO[name]
    checks = BearerTokens([Trust(StaticKeys(*KIDS), AUDIENCE)])
    assert outcome(checks, token()) == Client("robot", frozenset({Scope.PREDICT}), "token")
    assert outcome(checks, forge()) is check
    assert outcome(checks, forge()) is check, "the second time too"


@pytest.mark.parametrize("parameter", ["jku", "x5u"])
def test_an_address_in_a_token_is_not_called(parameter: str) -> None:
    with identity() as evil:
        evil.said["/keys"] = public("rsa-attacker")
        checks = BearerTokens([Trust(StaticKeys(*KIDS), AUDIENCE)])
        assert outcome(checks, attacker(**{parameter: f"{evil.url}/keys"})) is Check.HEADER
        assert evil.asked == []
        assert isinstance(outcome(checks, token()), Client)


@pytest.mark.parametrize(
    "forge",
    [
        lambda: token(header(kid=CANARY)),
        lambda: token(header(typ=CANARY)),
        lambda: token(header(alg=CANARY)),
        lambda: token(body=claims(iss=CANARY)),
        lambda: token(body=claims(aud=CANARY)),
        lambda: token(body=claims(exp=CANARY)),
        lambda: token(body=claims(client_id=f"{CANARY}\n")),
        lambda: token(body=CANARY.encode()),
        lambda: CANARY,
    ],
)
def test_a_refusal_repeats_nothing_of_the_token(forge: Callable[[], str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    checks, sent = BearerTokens([Trust(StaticKeys(*KIDS), AUDIENCE)]), forge()
    with pytest.raises(InvalidToken) as refusal:
        asyncio.run(checks.client(sent))
    said = f"{refusal.value!r} {refusal.value.message} {refusal.value.headers} {caplog.text}"
    assert CANARY not in said
    assert sent[:40] not in said
    assert refusal.value.__cause__ is None
