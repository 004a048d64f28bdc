"""How API keys and client secrets look, and what is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.service.guard import credentials

KEY = credentials.new(credentials.API_KEY)


def test_the_shape_is_one_that_secret_scanners_can_look_for() -> None:
    assert re.fullmatch(r"bl_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", KEY.text)
    assert KEY.text.startswith(f"{KEY.id}_")
    assert re.fullmatch(r"blc_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", credentials.new(credentials.CLIENT).text)


def test_the_secret_has_256_bits() -> None:
    assert len(credentials.ALPHABET) ** credentials.SECRET_CHARS >= 2**256
    assert len(set(credentials.ALPHABET)) == 62
    assert len(credentials.ALPHABET) ** credentials.CHECK_CHARS >= 2**32


def test_no_two_are_the_same() -> None:
    assert len({credentials.new(credentials.API_KEY).text for _ in range(1000)}) == 1000


def test_the_id_is_parsed_and_another_prefix_is_rejected() -> None:
    assert credentials.id_of(KEY.text, credentials.API_KEY) == KEY.id
    assert credentials.id_of(KEY.text, credentials.CLIENT) is None


@given(place=st.integers(0, len(KEY.text) - 1), character=st.sampled_from(credentials.ALPHABET + "_-é\0 \n"))
def test_a_wrong_character_is_a_typo(place: int, character: str) -> None:
    typed = KEY.text[:place] + character + KEY.text[place + 1 :]
    assert (credentials.id_of(typed, credentials.API_KEY) is None) == (typed != KEY.text)


@pytest.mark.parametrize("place", range(len(KEY.text) - 1))
def test_two_characters_in_the_wrong_order_are_a_typo(place: int) -> None:
    typed = KEY.text[:place] + KEY.text[place + 1] + KEY.text[place] + KEY.text[place + 2 :]
    assert (credentials.id_of(typed, credentials.API_KEY) is None) == (typed != KEY.text)


@pytest.mark.parametrize(
    "typed",
    ["", KEY.text[:-1], KEY.text + "0", f" {KEY.text}", f"{KEY.text}\n", KEY.id],
    # The key is another one in each run, and a test's name is not.
    ids=["nothing", "cut short", "one more", "space before", "line after", "its id"],
)
def test_a_shortened_or_longer_name_is_a_typo(typed: str) -> None:
    assert credentials.id_of(typed, credentials.API_KEY) is None


def test_the_text_is_not_in_the_repr() -> None:
    assert KEY.text[12:] not in repr(KEY)


def test_the_hash_is_sha_256_of_the_whole_text() -> None:
    assert credentials.digest(KEY.text) == hashlib.sha256(KEY.text.encode()).hexdigest()
    assert credentials.matches(KEY.text, credentials.digest(KEY.text))
    assert not credentials.matches(KEY.text, credentials.digest(KEY.text + "0"))


def test_hashes_are_compared_in_constant_time_also_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def spy(one: str, other: str) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(credentials, "hmac", SimpleNamespace(compare_digest=spy))
    # not even a text whose hash is the one that stands for nobody's
    monkeypatch.setattr(credentials, "digest", lambda _: credentials._NO_HASH)
    assert not credentials.matches("anything", None)
    assert compared == [(credentials._NO_HASH, credentials._NO_HASH)]
