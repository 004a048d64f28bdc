"""The keys that sign tokens, over the months: made, shown, used, kept, forgotten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode

from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.invalid_token import InvalidToken
from bertline.service.guard.keys import Keys
from bertline.service.guard.signing import MARGIN_S, PUBLISH_AHEAD_S, ROTATE_EVERY_S, SigningKeys, rotate
from bertline.service.guard.store import CredentialStore
from bertline.service.guard.trust import Trust
from bertline.testing.clock import Clock

ISSUER = "https://bertline.test"
CLAIMS = {"aud": "bertline", "sub": "blc_1", "client_id": "blc_1", "scope": "predict"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CredentialStore]:
    with CredentialStore(f"sqlite:///{tmp_path / 'auth.db'}") as one:
        yield one


@pytest.fixture
def keys(store: CredentialStore, clock: Clock) -> SigningKeys:
    return SigningKeys(store, ISSUER, clock=clock, now=clock)


def kids(keys: SigningKeys) -> list[str]:
    return [one["kid"] for one in asyncio.run(keys.jwks())["keys"]]


def token(keys: SigningKeys) -> str:
    return asyncio.run(keys.sign(CLAIMS))


def signer(text: str) -> str:
    """The name of the key that signed it."""
    return str(json.loads(urlsafe_b64decode(text.partition(".")[0].encode()))["kid"])


def test_a_token_has_the_claims_of_rfc_9068(keys: SigningKeys, clock: Clock) -> None:
    text = token(keys)
    found = jwt.decode(text, KeySet.import_key_set(asyncio.run(keys.jwks())), algorithms=["ES256"])
    assert found.header == {"alg": "ES256", "kid": kids(keys)[0], "typ": "at+jwt"}
    jti = found.claims.pop("jti")
    assert len(jti) >= 20
    assert found.claims == {**CLAIMS, "iss": ISSUER, "iat": int(clock()), "exp": int(clock()) + 900}
    again = jwt.decode(token(keys), KeySet.import_key_set(asyncio.run(keys.jwks())), algorithms=["ES256"])
    assert again.claims["jti"] != jti


def test_a_callers_claims_cannot_replace_the_issuers(keys: SigningKeys, clock: Clock) -> None:
    text = asyncio.run(keys.sign({"iss": "https://elsewhere.test", "exp": 9_999_999_999, "jti": "mine"}))
    found = jwt.decode(text, KeySet.import_key_set(asyncio.run(keys.jwks())), algorithms=["ES256"])
    assert (found.claims["iss"], found.claims["exp"]) == (ISSUER, int(clock()) + 900)


def test_the_key_set_has_public_halves_only(keys: SigningKeys) -> None:
    (key,) = asyncio.run(keys.jwks())["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")


def test_a_key_has_its_thumbprint_for_a_name(keys: SigningKeys) -> None:
    (key,) = asyncio.run(keys.jwks())["keys"]
    assert KeySet.import_key_set({"keys": [key]}).keys[0].thumbprint() == key["kid"]


def test_the_first_key_signs_at_once_also_by_a_clock_that_is_behind(store: CredentialStore, keys: SigningKeys) -> None:
    first = signer(token(keys))
    behind = Clock(Clock().now_s - 200)
    assert signer(token(SigningKeys(store, ISSUER, clock=behind, now=behind))) == first


def test_keys_rotate_every_30_days_are_published_ahead_and_removed_after_their_last_token(
    keys: SigningKeys, clock: Clock
) -> None:
    first = signer(token(keys))
    clock.now_s += ROTATE_EVERY_S - 1
    assert kids(keys) == [first]
    clock.now_s += 100  # another reading is due
    old, new = kids(keys)
    assert (old, signer(token(keys))) == (first, first)
    clock.now_s += PUBLISH_AHEAD_S - 1
    assert signer(token(keys)) == first
    clock.now_s += 1
    assert signer(token(keys)) == new
    clock.now_s += 900 + MARGIN_S - 1
    assert kids(keys) == [first, new]
    clock.now_s += 100
    assert kids(keys) == [new]


def test_a_retired_keys_private_half_is_deleted_from_the_database(
    store: CredentialStore, keys: SigningKeys, clock: Clock
) -> None:
    kids(keys)
    rotate(store, store.signing_keys(), now_s=int(clock()), signs_from_s=int(clock()))
    clock.now_s += 900 + MARGIN_S + 1
    kids(keys)
    assert [one.generation for one in store.signing_keys()] == [2]


def test_after_a_rotation_by_hand_the_new_key_signs_and_the_tokens_of_the_old_one_are_good(
    store: CredentialStore, keys: SigningKeys, clock: Clock
) -> None:
    tokens = BearerTokens([Trust(keys, "bertline")], now_s=clock)
    old = token(keys)
    assert rotate(store, store.signing_keys(), now_s=int(clock()), signs_from_s=int(clock()))
    clock.now_s += 60
    new = token(keys)
    assert signer(old) != signer(new)
    for text in (old, new):
        assert asyncio.run(tokens.client(text)) == Client("blc_1", frozenset({Scope.PREDICT}), "token")


def test_a_rotation_by_hand_comes_before_a_key_that_waits_for_its_turn(
    store: CredentialStore, keys: SigningKeys, clock: Clock
) -> None:
    first = signer(token(keys))
    clock.now_s += ROTATE_EVERY_S
    waiting = kids(keys)[1]
    rotate(store, store.signing_keys(), now_s=int(clock()), signs_from_s=int(clock()))
    clock.now_s += 60
    third = signer(token(keys))
    assert third not in (first, waiting)
    clock.now_s += PUBLISH_AHEAD_S
    assert signer(token(keys)) == third


def test_concurrent_rotations_create_one_key(store: CredentialStore, keys: SigningKeys, clock: Clock) -> None:
    kids(keys)
    known = store.signing_keys()
    made = [rotate(store, known, now_s=int(clock()), signs_from_s=int(clock())) for _ in range(3)]
    assert made == [True, False, False]
    assert len(store.signing_keys()) == 2


def test_a_key_of_another_process_is_read_at_once(store: CredentialStore, clock: Clock, keys: SigningKeys) -> None:
    tokens = BearerTokens([Trust(keys, "bertline")], now_s=clock)
    asyncio.run(tokens.client(token(keys)))
    rotate(store, store.signing_keys(), now_s=int(clock()), signs_from_s=int(clock()))
    other = SigningKeys(store, ISSUER, clock=clock, now=clock)
    clock.now_s += 1
    assert asyncio.run(tokens.client(token(other))).id == "blc_1"


def test_keys_are_selected_by_kid_and_the_generation_follows_changes(
    store: CredentialStore, keys: SigningKeys, clock: Clock
) -> None:
    protocol: Keys = keys
    assert (protocol.issuer, protocol.generation) == (ISSUER, 0)
    (only,) = asyncio.run(protocol.find(None))
    assert protocol.generation == 1
    assert asyncio.run(protocol.find(only.kid)) == [only]
    assert asyncio.run(protocol.find("unknown")) == []
    clock.now_s += 60
    assert len(asyncio.run(protocol.find(None))) == 1
    assert protocol.generation == 1
    rotate(store, store.signing_keys(), now_s=int(clock()), signs_from_s=int(clock()))
    clock.now_s += 60
    assert len(asyncio.run(protocol.find(None))) == 2
    assert protocol.generation == 2


def test_a_token_of_a_removed_key_is_rejected(store: CredentialStore, keys: SigningKeys, clock: Clock) -> None:
    tokens = BearerTokens([Trust(keys, "bertline")], now_s=Clock())  # its clock stands still: the token never expires
    old = token(keys)
    asyncio.run(tokens.client(old))
    rotate(store, store.signing_keys(), now_s=int(clock()), signs_from_s=int(clock()))
    clock.now_s += 900 + MARGIN_S + 1
    kids(keys)
    with pytest.raises(InvalidToken, match="its kid is not that of an issuer's key"):
        asyncio.run(tokens.client(old))


def test_tokens_are_signed_and_verified_while_the_database_is_away(
    keys: SigningKeys, clock: Clock, tmp_path: Path
) -> None:
    tokens = BearerTokens([Trust(keys, "bertline")], now_s=clock)
    asyncio.run(tokens.client(token(keys)))
    (tmp_path / "auth.db").rename(tmp_path / "away.db")
    clock.now_s += 600
    assert asyncio.run(tokens.client(token(keys))).id == "blc_1"


def test_another_keys_signature_does_not_verify(keys: SigningKeys, tmp_path: Path, clock: Clock) -> None:
    with CredentialStore(f"sqlite:///{tmp_path / 'other.db'}") as store:
        other = token(SigningKeys(store, ISSUER, clock=clock, now=clock))
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(other, KeySet.import_key_set(asyncio.run(keys.jwks())), algorithms=["ES256"])
