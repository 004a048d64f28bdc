"""Addresses of bundles: ``s3://bucket/prefix``, ``oci://host/name``, ``hf://owner/name`` and ``file:directory``.

An address names a bundle with a tag, ``s3://models/reviews:stable``, or pins it by its hash,
``s3://models/reviews@sha256:1f2e…``. Without either the tag is ``latest``. On the Hugging Face hub, ``@`` is followed
by a revision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from bertline.errors import UsageError

LATEST = "latest"
SCHEMES = ("s3://", "oci://", "hf://", "file:")

_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")  # the grammar of the OCI distribution specification
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_PLACES = {  # after the scheme, without tag and hash
    "s3": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/@]+)*/?"), "s3://BUCKET/PREFIX"),
    "oci": (re.compile(r"[A-Za-z0-9.\-\[\]:]+(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"), "oci://HOST/NAME, lower case,"),
    "hf": (re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+"), "hf://OWNER/NAME"),
    "file": (re.compile(r".+"), "file:DIRECTORY"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a bundle is, by its tag or pinned.

    Attributes:
        scheme: ``s3``, ``oci``, ``hf`` or ``file``.
        place: bucket and prefix, host and name, owner and name, or a directory.
        tag: None where ``pin`` is given.
        pin: SHA-256 in hexadecimal of the bundle's manifest, in a registry of the image's; on the hub a revision.
    """

    scheme: str
    place: str
    tag: str | None = LATEST
    pin: str | None = None

    def __str__(self) -> str:
        separator = ":" if self.scheme == "file" else "://"
        pin = f"@{self.pin if self.scheme == 'hf' else f'sha256:{self.pin}'}" if self.pin else ""
        tag = f":{self.tag}" if self.tag not in (None, LATEST) else ""
        return f"{self.scheme}{separator}{self.place}{tag}{pin}"

    def pinned(self, pin: str) -> Address:
        """The same place, and exactly this bundle."""
        return replace(self, tag=None, pin=pin)


def is_address(text: str) -> bool:
    """Whether a text is an address rather than the path of a directory.

    >>> is_address("s3://models/reviews"), is_address("runs/reviews"), is_address("file:runs")
    (True, False, True)

    Raises:
        UsageError: it has a scheme that bertline does not know.
    """
    if text.startswith(SCHEMES):
        return True
    if scheme := _ANY_SCHEME.match(text):
        raise UsageError(f"{scheme[0]} is not a scheme of bundles' addresses: valid ones are {', '.join(SCHEMES)}")
    return False


def is_tag(text: str) -> bool:
    """Whether a text can be the tag of an address."""
    return _TAG.fullmatch(text) is not None


def parse_address(text: str) -> Address:
    """The parts of an address; the path of a directory is short for ``file:``.

    >>> parse_address("s3://models/reviews:stable")
    Address(scheme='s3', place='models/reviews', tag='stable', pin=None)
    >>> str(parse_address("oci://localhost:5000/team/reviews"))
    'oci://localhost:5000/team/reviews'

    Raises:
        UsageError: it is none.
    """
    if not is_address(text):
        return Address("file", str(Path(text)))
    scheme, _, rest = text.partition(":")
    rest = rest.removeprefix("//")
    if scheme != "file" and "@" in rest.partition("/")[0]:  # not repeated: it may be a secret
        raise UsageError(
            f"the {scheme}:// address has a user or a key in it: remove it, credentials come from the environment"
        )
    place, at, pin = rest.partition("@") if scheme != "file" else _pin_of_path(rest)
    place, tag = _split_tag(place)
    pattern, form = _PLACES[scheme]
    if not pattern.fullmatch(place):
        raise UsageError(f"{text} is not an address of a bundle: write {form} with :TAG or @sha256:HASH if needed")
    place = place if scheme == "file" and place == "/" else place.rstrip("/")
    if scheme == "hf":
        return Address(scheme, place, None if at else tag, pin or None)
    if not at:
        return Address(scheme, place, tag)
    digest = _DIGEST.fullmatch(pin)
    if digest is None:
        raise UsageError(f"{text} does not end with a hash: write @sha256: and its 64 hexadecimal digits")
    return Address(scheme, place, None, digest[1])


def _pin_of_path(path: str) -> tuple[str, str, str]:
    """Only a hash ends a path: a directory's name may have an @ in it."""
    place, at, pin = path.rpartition("@")
    return (place, at, pin) if at and _DIGEST.fullmatch(pin) else (path, "", "")


def _split_tag(place: str) -> tuple[str, str]:
    """Place and tag; a colon before the last slash belongs to a host's port."""
    head, slash, last = place.rpartition("/")
    name, colon, tag = last.partition(":")
    if colon and slash and _TAG.fullmatch(tag):
        return f"{head}{slash}{name}", tag
    return place, LATEST
