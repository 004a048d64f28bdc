"""What is taken out of a text that is logged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.monitoring.logs.redaction import LONGEST_TEXT, redacted


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mail ann.lee+x@mail.example.org now", "mail [email] now"),
        ("call +44 20 7946 0958.", "call [phone]."),
        ("call (020) 7946-0958", "call [phone]"),
        ("card 4111-1111-1111-1111", "card [number]"),
        ("account 123456", "account [number]"),
        ("in 2024, 12345 people", "in 2024, 12345 people"),
        ("see https://a.org/b?token=s3cret#f there", "see https://a.org/b there"),
        ("see HTTPS://ann:pw@a.org/b", "see HTTPS://a.org/b"),
    ],
)
def test_addresses_and_numbers_are_taken_out(text: str, left: str) -> None:
    assert redacted(text) == left


def test_only_the_configured_kinds_are_redacted() -> None:
    assert redacted("ann@a.org 123456", ["number"]) == "ann@a.org [number]"
    assert redacted("ann@a.org 123456", []) == "ann@a.org 123456"


def test_a_long_text_is_cut_after_it_was_redacted() -> None:
    text = "x" * (LONGEST_TEXT - 5) + " ann@example.org " + "y" * 2000
    found = redacted(text)
    assert found == "x" * (LONGEST_TEXT - 5) + " [ema…"


@given(st.text(st.sampled_from("ab@.1 -"), max_size=60), st.text(max_size=60))
def test_no_address_and_no_long_number_is_left(some: str, other: str) -> None:
    found = redacted(f"{some} ann@example.org {other} 4111111111111111 ")
    assert "ann@example.org" not in found
    assert "4111111111111111" not in found


@pytest.mark.parametrize("one", ["a", "1", "@", "a@", "1 ", "a.", "https://", "+1("])
def test_a_text_made_to_take_long_takes_few_steps(one: str) -> None:
    """The patterns are bounded: a text of any length is cut first, and this is the worst that is left."""
    assert len(redacted(one * 1_000_000)) <= LONGEST_TEXT + 1
