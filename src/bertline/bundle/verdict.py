"""The verdict of a gate about two bundles: what ``models promote`` requires, and all that it reads of it.

A file of one JSON object with two entries: ``verdict``, whose bytes in canonical form are hashed and signed, and
``signatures`` over them, as a bundle's (``bertline.bundle.signing``). A gate may add to ``details`` whatever it found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from bertline.bundle.fields import Digest, Facts, Strict
from bertline.bundle.signing import PublicKey, Signature, signature_of
from bertline.errors import BundleError, UsageError

if TYPE_CHECKING:
    from bertline.bundle.signing import PrivateKey

DOMAIN = b"bertline gate verdict v1\n"
LARGEST_BYTES = 16 * 2**20
Decided = Literal["yes", "no", "undecided"]
SignatureState = Literal["unsigned", "unverified", "verified", "wrong"]


class VerdictCheck(BaseModel):
    """One check of a gate, as a verdict's details have it.

    Attributes:
        name: of the check, and of its rows where there are several tables.
        decision: what it said.
        sentence: why, with its figures.
        figures: plain values.
    """

    name: str
    decision: Decided
    sentence: str
    figures: Mapping[str, Any] = Field(default_factory=dict)


class Verdict(Strict):
    """What a gate decided.

    Attributes:
        format_version: of this contract; later ones only add entries to ``details``.
        challenger: digest of the bundle that was judged (``Manifest.checksum``).
        champion: digest of the bundle that it was compared with; None if there was none.
        decision: whether the challenger may be promoted; ``undecided`` if a check could not tell, as with too few rows.
        created: when, in UTC.
        details: of the gate, for people and later programs.
    """

    format_version: Literal[1] = 1
    challenger: Digest
    champion: Digest | None
    decision: Decided
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    details: Facts = Field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The canonical bytes: sorted keys, no white space, UTF-8."""
        fields = self.model_dump(mode="json")
        return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes, by which the log of deployments names it."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def checks(self) -> tuple[VerdictCheck, ...]:
        """The checks among the details; those that another gate wrote otherwise are left out."""
        entries = self.details.get("checks")
        return tuple(one for one in map(_check, entries if isinstance(entries, list) else []) if one is not None)

    @property
    def rows(self) -> int | None:
        """Rows of all tables that both bundles were judged by; None where the details do not say."""
        tables = self.details.get("data")
        each = tables.values() if isinstance(tables, dict) else ()
        counts = [one.get("rows") for one in each if isinstance(one, dict)]
        numbers = [one for one in counts if isinstance(one, int)]
        return sum(numbers) if numbers else None

    @property
    def reason(self) -> str | None:
        """What the first check found of a yes; otherwise every check that said the same as all together."""
        alike = [one for one in self.checks if one.decision == self.decision]
        if self.decision == "yes":
            return alike[0].sentence if alike else None
        return "; ".join(f"{one.name}: {one.sentence}" for one in alike) or None


def _check(entry: object) -> VerdictCheck | None:
    try:
        return VerdictCheck.model_validate(entry)
    except ValidationError:
        return None


class SignedVerdict(Strict):
    """The content of a verdict's file."""

    verdict: Verdict
    signatures: tuple[Signature, ...] = ()

    def signed(self, key: PrivateKey) -> SignedVerdict:
        """With a signature by this key, which replaces an earlier one by it."""
        made = signature_of(self.verdict.content, key, domain=DOMAIN)
        others = tuple(one for one in self.signatures if one.key != made.key)
        return SignedVerdict(verdict=self.verdict, signatures=(*others, made))

    def signature(self, trusted: Sequence[PublicKey]) -> SignatureState:
        """What is known of its signatures.

        ``verified``: one by a trusted key fits. ``wrong``: there are some by trusted keys, and none fits.
        ``unverified``: none is by a trusted key.
        """
        if not self.signatures:
            return "unsigned"
        known = [(one, key) for one in self.signatures for key in trusted if one.key == key.id]
        if any(one.fits(key, self.verdict.content, DOMAIN) for one, key in known):
            return "verified"
        return "wrong" if known else "unverified"

    def to_file(self) -> bytes:
        """The bytes to write."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def read_verdict(path: Path, trusted: Sequence[PublicKey] = ()) -> Verdict:
    """The verdict in a file, as ``read_signed_verdict`` without its signatures."""
    return read_signed_verdict(path, trusted).verdict


def read_signed_verdict(path: Path, trusted: Sequence[PublicKey] = ()) -> SignedVerdict:
    """The verdict in a file, with its signatures.

    Args:
        path: of the file.
        trusted: keys, one of which must have signed it; without any, no signature is required.

    Raises:
        UsageError: the file cannot be read.
        BundleError: it is not a verdict, or lacks a signature by one of the keys.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the verdict {path} cannot be read: {error.strerror}; give the file of the gate") from None
    try:
        signed = SignedVerdict.model_validate_json(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise BundleError(
            f"{path} is not the verdict of a gate ({f'{place}: ' if place else ''}{fault['msg']}): run the gate again"
        ) from None
    content = signed.verdict.content
    if trusted and not any(one.fits(key, content, DOMAIN) for one in signed.signatures for key in trusted):
        ids = ", ".join(key.id for key in trusted)
        raise BundleError(f"the verdict {path} has no valid signature by key {ids}: let the gate sign it with that one")
    return signed
