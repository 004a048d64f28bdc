"""What clients send to the token endpoint, and what is wrong with it."""

from __future__ import annotations

import base64
import os
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.service.guard.token_request import FORM, TokenRequest, token_request
from bertline.serving.problems import Code, Problem

EXAMPLES = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "300"))
GRANT = b"grant_type=client_credentials"


def basic(id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{id}:{secret}".encode()).decode()


def test_basic_and_post_say_the_same() -> None:
    expected = TokenRequest("an id", "a secret", "client_credentials", ("predict", "metrics"))
    scope = b"&scope=predict+metrics"
    assert token_request(FORM, basic("an+id", "a%20secret"), GRANT + scope) == expected
    assert token_request(FORM, None, GRANT + scope + b"&client_id=an+id&client_secret=a%20secret") == expected


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=UTF-8", FORM.upper(), f" {FORM} ;x"])
def test_a_single_form_may_have_several_names(kind: str) -> None:
    assert token_request(kind, basic("a", "b"), GRANT).scopes is None


@pytest.mark.parametrize("scope", ["", "&scope=", "&unknown=1"])
def test_no_scope_is_all_and_unknown_fields_do_not_matter(scope: str) -> None:
    assert token_request(FORM, basic("a", "b"), GRANT + scope.encode()).scopes is None


def test_the_client_id_may_also_be_in_the_body() -> None:
    assert token_request(FORM, basic("a", "b"), GRANT + b"&client_id=a").client_id == "a"


@pytest.mark.parametrize(
    ("kind", "authorization", "body", "code"),
    [
        ("application/json", basic("a", "b"), b'{"grant_type": "client_credentials"}', Code.WRONG_TYPE),
        ("", basic("a", "b"), GRANT, Code.WRONG_TYPE),
        ("multipart/form-data", basic("a", "b"), GRANT, Code.WRONG_TYPE),
        (FORM, basic("a", "b"), b"", Code.MISSING_FIELD),
        (FORM, basic("a", "b"), b"grant_type=", Code.MISSING_FIELD),
        (FORM, basic("a", "b"), GRANT + b"&" + GRANT, Code.CONFLICTING_FIELDS),
        (FORM, basic("a", "b"), GRANT + b"&scope=a&scope=a", Code.CONFLICTING_FIELDS),
        (FORM, basic("a", "b"), GRANT + b"&scope=&scope=", Code.CONFLICTING_FIELDS),
        (FORM, basic("a", "b"), GRANT + b"&other=1&other=2", Code.CONFLICTING_FIELDS),
        (FORM, basic("a", "b"), GRANT + b"&client_secret=b", Code.CONFLICTING_FIELDS),
        (FORM, basic("a", "b"), GRANT + b"&client_id=c", Code.CONFLICTING_FIELDS),
        (FORM, basic("a", "b"), GRANT + b"&scope=%ff", Code.WRONG_TYPE),
        (FORM, basic("a", "b"), GRANT + "&scope=é".encode(), Code.WRONG_TYPE),
        (FORM, basic("a", "b"), GRANT + b"&a=1" * 1000, Code.WRONG_TYPE),
        (FORM, None, GRANT, Code.INVALID_CREDENTIALS),
        (FORM, None, GRANT + b"&client_id=a", Code.INVALID_CREDENTIALS),
        (FORM, None, GRANT + b"&client_id=a&client_secret=", Code.INVALID_CREDENTIALS),
        (FORM, "Bearer abc", GRANT, Code.INVALID_CREDENTIALS),
        (FORM, "Basic", GRANT, Code.INVALID_CREDENTIALS),
        (FORM, "Basic ###", GRANT, Code.INVALID_CREDENTIALS),
        (FORM, "Basic /w==", GRANT, Code.INVALID_CREDENTIALS),
        (FORM, basic("a%ff", "b"), GRANT, Code.INVALID_CREDENTIALS),
        (FORM, basic("a", ""), GRANT, Code.INVALID_CREDENTIALS),
        (FORM, basic("", "b"), GRANT, Code.INVALID_CREDENTIALS),
    ],
)
def test_invalid_values_are_refused(kind: str, authorization: str | None, body: bytes, code: Code) -> None:
    with pytest.raises(Problem) as caught:
        token_request(kind, authorization, body)
    assert caught.value.code is code
    challenge = {"WWW-Authenticate": 'Basic realm="bertline"'} if code is Code.INVALID_CREDENTIALS else {}
    assert caught.value.headers == challenge


@settings(max_examples=EXAMPLES, deadline=None)
@given(id=st.text(min_size=1), secret=st.text(min_size=1))
def test_any_id_and_secret_come_through_both_ways(id: str, secret: str) -> None:
    header = basic(quote_plus(id), quote_plus(secret))
    body = urlencode({"client_id": id, "client_secret": secret}).encode()
    for one in (token_request(FORM, header, GRANT), token_request(FORM, None, GRANT + b"&" + body)):
        assert (one.client_id, one.client_secret) == (id, secret)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    kind=st.sampled_from([FORM, f"{FORM};", "application/json", ""]) | st.text(),
    authorization=st.none() | st.text() | st.binary().map(lambda one: f"Basic {base64.b64encode(one).decode()}"),
    body=st.binary()
    | st.text().map(lambda one: one.encode("utf-8", "surrogatepass"))
    | st.lists(
        st.sampled_from([b"grant_type=", b"&", b"=", b"%", b"client_id=a", b"client_secret=b", b"+", b"\0"])
    ).map(b"".join),
)
def test_anything_else_is_a_request_or_a_problem_that_quotes_nothing(
    kind: str, authorization: str | None, body: bytes
) -> None:
    canary = "c4n4ry"
    said = ""
    try:
        token_request(kind, authorization, body + f"&client_secret={canary}&{canary}=1".encode())
    except Problem as problem:
        said = f"{problem.message} {problem.field} {problem.headers}"
    assert canary not in said


def test_the_secret_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(token_request(FORM, basic("a", "hunter2"), GRANT))
