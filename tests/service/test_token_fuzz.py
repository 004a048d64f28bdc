"""Whatever comes in as a token, a client or a refusal comes out, and nothing of the token with it.

``BERTLINE_FUZZ_EXAMPLES=100000`` draws that many; the default is for every day.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client
from bertline.service.guard.invalid_token import InvalidToken
from bertline.service.guard.trust import Trust
from tests.service.forging import AUDIENCE, CANARY, ISSUER, StaticKeys, b64, claims, header, key, sealed, token

EXAMPLES = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "400"))
CHECKS = BearerTokens([Trust(StaticKeys("rsa", "p256", "ed"), AUDIENCE)])
GOOD = token(kid="ed", algorithm="EdDSA", body=claims(exp=4_000_000_000, client_id=CANARY))

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
plausible = anything | st.sampled_from(
    [ISSUER, AUDIENCE, [AUDIENCE], "ES256", "EdDSA", "none", "HS256", "at+jwt", "ed", "rsa", 4e9, 1, -1, 1e308, 10**400]
)
parameters = st.sampled_from(["typ", "alg", "kid", "crit", "jwk", "jku", "x5c", "b64", "cty", "", CANARY])
named = st.sampled_from(
    ["iss", "aud", "exp", "nbf", "iat", "sub", "client_id", "azp", "scope", "scp", "jti", "", CANARY]
)


@st.composite
def signed(draw: st.DrawFn) -> str:
    """Rightly signed, with anything in it: what only the issuer could send."""
    head = {**header(kid="ed", alg="EdDSA"), **draw(st.dictionaries(parameters, plausible, max_size=2))}
    body = {**claims(), **draw(st.dictionaries(named, plausible, max_size=4))}
    for name in draw(st.sets(named, max_size=2)):
        body.pop(name, None)
    return sealed(head, body, key("ed"), "EdDSA")


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good token with some of it replaced."""
    start = draw(st.integers(0, len(GOOD)))
    end = min(len(GOOD), start + draw(st.integers(0, 12)))
    return GOOD[:start] + draw(st.text(max_size=6) | st.text("AaZz09-_.=", max_size=6)) + GOOD[end:]


@st.composite
def parts(draw: st.DrawFn) -> str:
    """Parts of any bytes or JSON, in any number."""
    part = (st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode())).map(b64)
    return ".".join(draw(st.lists(part, max_size=6)))


noise = st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def logged() -> Iterator[list[str]]:
    """Everything that anything logs."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keep, root = Keep(logging.DEBUG), logging.getLogger()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(keep)
    root.setLevel(level)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        signed().map(lambda sent: (sent, True)), st.one_of(mutated(), parts(), noise).map(lambda sent: (sent, False))
    )
)
@example((GOOD, True))
def test_a_client_or_a_refusal(runner: asyncio.Runner, logged: list[str], case: tuple[str, bool]) -> None:
    sent, rightly_signed = case
    try:
        client = runner.run(CHECKS.client(sent))
    except InvalidToken as refusal:
        said = f"{refusal!r} {refusal.headers} {refusal.field}"
        assert CANARY not in said
        assert sent != GOOD
        assert len(sent) < 20 or sent not in said
    else:
        assert isinstance(client, Client)
        assert client.id.isprintable()
        assert 0 < len(client.id) <= 255
        assert rightly_signed or sent == GOOD, "a token that its issuer did not sign was accepted"
    assert not any(CANARY in line for line in logged)
    logged.clear()
