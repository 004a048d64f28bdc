"""Addresses of bundles: what is read, what is refused, and that secrets are not repeated."""

from __future__ import annotations

import re

import pytest

from bertline.errors import UsageError
from bertline.registry.fetch.address import Address, is_address, parse_address

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://models/team/reviews", Address("s3", "models/team/reviews")),
        ("s3://models", Address("s3", "models")),
        ("s3://models/reviews/", Address("s3", "models/reviews")),
        ("s3://models/reviews:stable", Address("s3", "models/reviews", "stable")),
        (f"s3://models/reviews@sha256:{HASH}", Address("s3", "models/reviews", None, HASH)),
        (f"s3://models/reviews@{HASH}", Address("s3", "models/reviews", None, HASH)),
        ("oci://localhost:5000/team/reviews:v1.2", Address("oci", "localhost:5000/team/reviews", "v1.2")),
        (f"oci://ghcr.io/a/b@sha256:{HASH}", Address("oci", "ghcr.io/a/b", None, HASH)),
        ("hf://owner/name", Address("hf", "owner/name")),
        ("hf://owner/name@v2", Address("hf", "owner/name", None, "v2")),
        ("file:/srv/models/reviews", Address("file", "/srv/models/reviews")),
        ("file:///srv/models", Address("file", "/srv/models")),
        ("file:shelf/a@b:stable", Address("file", "shelf/a@b", "stable")),
        (f"file:shelf@sha256:{HASH}", Address("file", "shelf", None, HASH)),
        ("runs/reviews:1", Address("file", "runs/reviews:1")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address or not is_address(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gs://models/x", "gs:// is not a scheme of bundles' addresses: valid ones are s3://, oci://, hf://, file:"),
        ("s3://Models/x", "s3://Models/x is not an address of a bundle: write s3://BUCKET/PREFIX with :TAG or"),
        ("s3://", "s3:// is not an address of a bundle: write s3://BUCKET/PREFIX"),
        ("oci://ghcr.io", "oci://ghcr.io is not an address of a bundle: write oci://HOST/NAME, lower case, with"),
        ("hf://name", "hf://name is not an address of a bundle: write hf://OWNER/NAME with"),
        (
            "s3://models/x@12ab",
            "s3://models/x@12ab does not end with a hash: write @sha256: and its 64 hexadecimal digits",
        ),
    ],
)
def test_what_is_no_address_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_address(text)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="has a user or a key in it") as caught:
        parse_address("s3://AKIA:secret@models/reviews")
    assert "secret" not in str(caught.value)
