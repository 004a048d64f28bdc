"""Signatures of bundles: Ed25519 (RFC 8032) over the exact bytes of ``bertline.json``, which hashes every file.

They lie beside it in ``bertline.json.sig``, one per key that signed, so that a key can be replaced while both are
trusted. Signed are the line ``bertline bundle manifest v1``, the key's id and the time, a line each, and the manifest's
bytes: no signature that was made for something else fits, and every entry of the file is covered.

Whoever asks for a signature gets the manifest's bytes from here (``require_signature``), so that what was checked is
what is used. cryptography is imported by this file alone, and only when something is signed or checked.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import Field, ValidationError

from bertline.bundle.fields import MANIFEST, Strict
from bertline.bundle.manifest import parse
from bertline.bundle.swap import flush
from bertline.bundle.verify import SIGNATURE, check_files, manifest_bytes, plain_bytes
from bertline.destination import claim, replace_file
from bertline.errors import BundleError, UsageError, needing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    PrivateKey: TypeAlias = Ed25519PrivateKey

DOMAIN = b"bertline bundle manifest v1\n"
LARGEST_SIGNATURE_BYTES = 64 * 2**10
LARGEST_KEY_BYTES = 64 * 2**10
_MAKE = "make a pair with bertline models key new"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that is trusted to sign: its 32 bytes (RFC 8032 section 5.1.5)."""

    raw: bytes

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the bytes: a name for people, not a proof."""
        return hashlib.sha256(self.raw).hexdigest()[:16]


class Signature(Strict):
    """One key's signature of a bundle, as ``bertline.json.sig`` has it."""

    algorithm: Literal["ed25519"]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    signed_at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]

    def fits(self, key: PublicKey, manifest: bytes, domain: bytes = DOMAIN) -> bool:
        """Whether ``key`` signed these bytes, of a ``bertline.json`` or of what ``domain`` names."""
        ed25519 = _cryptography().hazmat.primitives.asymmetric.ed25519
        try:
            trusted = ed25519.Ed25519PublicKey.from_public_bytes(key.raw)
            trusted.verify(base64.b64decode(self.signature), signed_bytes(manifest, self.key, self.signed_at, domain))
        except _cryptography().exceptions.InvalidSignature:
            return False
        return True


class _File(Strict):
    """The content of ``bertline.json.sig``."""

    signatures: Annotated[tuple[Signature, ...], Field(min_length=1)]


def signed_bytes(manifest: bytes, key_id: str, signed_at: str, domain: bytes = DOMAIN) -> bytes:
    r"""What a key signs for the bytes of a ``bertline.json``.

    >>> signed_bytes(b"{}", "0" * 16, "2026-11-20T10:00:00Z")
    b'bertline bundle manifest v1\n0000000000000000\n2026-11-20T10:00:00Z\n{}'
    """
    return domain + f"{key_id}\n{signed_at}\n".encode() + manifest


def signature_of(
    content: bytes, key: Ed25519PrivateKey, *, domain: bytes = DOMAIN, now: datetime | None = None
) -> Signature:
    """A key's signature of these bytes; ``domain`` says what they are, so that it fits nothing else."""
    id_ = public_key(key).id
    signed_at = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = base64.b64encode(key.sign(signed_bytes(content, id_, signed_at, domain))).decode()
    return Signature(algorithm="ed25519", key=id_, signed_at=signed_at, signature=made)


def require_signature(bundle: Path, trusted: Sequence[PublicKey]) -> tuple[bytes, Signature]:
    """The bytes of a bundle's ``bertline.json``, and the signature by one of the trusted keys that fits them.

    Nothing of the bundle is interpreted before; of its other files nothing is read.

    Raises:
        BundleError: the bundle is missing, unsigned, signed by other keys only, or altered since.
    """
    manifest = manifest_bytes(bundle)
    return manifest, fitting_signature(manifest, read_signatures(bundle), trusted, bundle)


def fitting_signature(
    manifest: bytes, signatures: Sequence[Signature], trusted: Sequence[PublicKey], origin: Path | str
) -> Signature:
    """The signature by one of the trusted keys that fits the bytes of a ``bertline.json``.

    Args:
        manifest: those bytes.
        signatures: the candidates.
        trusted: keys; one is enough.
        origin: the bundle's directory or its address, for messages.

    Raises:
        BundleError: there is none.
    """
    if not signatures:
        remedy = f"sign it with bertline models sign {origin if isinstance(origin, Path) else 'BUNDLE'} --key KEY"
        raise BundleError(
            f"{origin} is not signed (it has no {SIGNATURE}; train, optimize and distill write bundles without one), "
            f"and a signature is required: {remedy}{'' if isinstance(origin, Path) else ' and push it again'}"
        )
    known = [(signature, key) for signature in signatures for key in trusted if key.id == signature.key]
    if not known:
        raise BundleError(
            f"{origin} is signed by {_names(signature.key for signature in signatures)}, but {'only ' * bool(trusted)}"
            f"{_names(key.id for key in trusted)} is trusted: have it signed by a trusted key, or "
            "trust the signer's public key"
        )
    for signature, key in known:
        if signature.fits(key, manifest):
            return signature
    raise BundleError(
        f"{MANIFEST} of {origin} is not what {_names(signature.key for signature, _ in known)} signed: it or "
        f"{SIGNATURE} was altered or written again after that; copy the signed bundle again, or sign this one again "
        "if its writer is known to you"
    )


def read_signatures(bundle: Path) -> tuple[Signature, ...]:
    """The signatures beside a bundle's ``bertline.json``, unchecked; empty without a file of signatures.

    Raises:
        BundleError: the file is damaged.
    """
    try:
        raw = plain_bytes(bundle, SIGNATURE, LARGEST_SIGNATURE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return parse_signatures(raw, bundle)


def parse_signatures(raw: bytes, origin: Path | str) -> tuple[Signature, ...]:
    """The signatures in the bytes of a ``bertline.json.sig``, unchecked; ``origin`` names the bundle in messages.

    Raises:
        BundleError: the file is damaged.
    """
    try:
        return _File.model_validate_json(raw).signatures
    except ValidationError:  # its message would quote the file
        raise BundleError(
            f"{SIGNATURE} of {origin} is damaged, or of another tool or a newer bertline: copy the bundle again, or "
            "remove that file and sign the bundle again"
        ) from None


def sign(bundle: Path, key: Ed25519PrivateKey, *, now: datetime | None = None) -> Signature:
    """Sign a bundle whose files match its manifest. It replaces this key's signature and keeps those of other keys.

    Args:
        bundle: its directory.
        key: from ``read_private_key``.
        now: the time to sign; by default the clock's.

    Raises:
        BundleError: the bundle is damaged, or its directory cannot be written.
        DestinationError: another process signs it.
    """
    with claim(bundle / SIGNATURE, "the signature"):  # two processes that sign at once would lose one signature
        return _sign(bundle, key, now)


def _sign(bundle: Path, key: Ed25519PrivateKey, now: datetime | None) -> Signature:
    manifest = manifest_bytes(bundle)
    check_files(bundle, parse(manifest, str(bundle)), hashes=True)
    signature = signature_of(manifest, key, now=now)
    others = tuple(other for other in read_signatures(bundle) if other.key != signature.key)
    raw = (_File(signatures=(*others, signature)).model_dump_json(indent=2) + "\n").encode()
    if len(raw) > LARGEST_SIGNATURE_BYTES:
        raise BundleError(
            f"{SIGNATURE} of {bundle} has too many signatures: remove that file and sign the bundle again"
        )
    _replace(bundle / SIGNATURE, raw)
    return signature


def _replace(path: Path, raw: bytes) -> None:
    try:
        replace_file(path, raw)  # through a hidden file, which is not part of the bundle
        flush(path.parent)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written: {error.strerror}; sign a copy that this user may write"
        ) from error


def new_key(path: Path, passphrase: bytes | None = None) -> PublicKey:
    """Make a pair of keys: ``path`` is the private one (PKCS #8), ``path``.pub the public one (SPKI).

    Raises:
        UsageError: one of the files exists, or cannot be written.
    """
    crypto = _cryptography().hazmat.primitives
    form, key = crypto.serialization, crypto.asymmetric.ed25519.Ed25519PrivateKey.generate()
    protection = form.BestAvailableEncryption(passphrase) if passphrase else form.NoEncryption()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, protection)
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    beside = path.with_name(f"{path.name}.pub")
    for file in (path, beside):  # before either is written
        if file.exists() or file.is_symlink():
            raise UsageError(f"{file} exists already, and a key is never overwritten: choose another name")
    _write_new(beside, public, 0o644)
    try:
        _write_new(path, private, 0o600)
    except UsageError:
        beside.unlink()
        raise
    return public_key(key)


def _write_new(path: Path, raw: bytes, mode: int) -> None:
    try:
        replace_file(path, raw, mode=mode, fresh=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose another place for the keys") from None


def public_key(key: Ed25519PrivateKey) -> PublicKey:
    """The public half of a private key."""
    return PublicKey(key.public_key().public_bytes_raw())


def read_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """An Ed25519 private key: PEM (PKCS #8) or OpenSSH's form.

    Raises:
        UsageError: it is missing, others may read it, or the passphrase is missing or wrong.
    """
    raw = _key_bytes(path)
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} is a private key that others than its owner may read: chmod 600 {path}")
    form = _cryptography().hazmat.primitives.serialization
    load = form.load_ssh_private_key if b"OPENSSH PRIVATE KEY" in raw else form.load_pem_private_key
    try:
        key: object = load(raw, passphrase)
    except TypeError:
        remedy = "has no passphrase, but one was given: leave out" if passphrase else "needs its passphrase: pass"
        raise UsageError(f"{path} {remedy} --passphrase-file") from None
    except ValueError:
        why = "the passphrase is wrong, or the file is damaged" if passphrase else "it is damaged or not a private key"
        raise UsageError(f"{path} cannot be opened, {why}: {_MAKE}") from None
    except _cryptography().exceptions.UnsupportedAlgorithm:
        raise UsageError(f"{path} is encrypted or encoded in an unsupported way: {_MAKE}") from None
    if not isinstance(key, _cryptography().hazmat.primitives.asymmetric.ed25519.Ed25519PrivateKey):
        raise UsageError(f"{path} is a private key but not an Ed25519 one: {_MAKE}")
    return cast("Ed25519PrivateKey", key)


def read_public_key(path: Path) -> PublicKey:
    """An Ed25519 public key: PEM (SPKI) or a line of OpenSSH (``ssh-ed25519 …``), one per file.

    Raises:
        UsageError: it is missing, private, or not an Ed25519 key.
    """
    raw = _key_bytes(path).strip()
    if b"PRIVATE KEY" in raw:
        raise UsageError(f"{path} is a private key, which only the signer may have: give the public one, {path}.pub")
    ssh = raw.startswith(b"ssh-")
    if raw.count(b"\n" if ssh else b"-----BEGIN") > (0 if ssh else 1):
        raise UsageError(f"{path} has several keys, but only one would be read: write each to its own file")
    form = _cryptography().hazmat.primitives.serialization
    try:
        key: object = form.load_ssh_public_key(raw) if ssh else form.load_pem_public_key(raw)
    except (ValueError, _cryptography().exceptions.UnsupportedAlgorithm):
        raise UsageError(f"{path} is not a public key in PEM or OpenSSH's form: {_MAKE}") from None
    if not isinstance(key, _cryptography().hazmat.primitives.asymmetric.ed25519.Ed25519PublicKey):
        raise UsageError(f"{path} is a public key but not an Ed25519 one: {_MAKE}")
    return PublicKey(key.public_bytes_raw())


def _key_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_KEY_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}; {_MAKE}") from None
    if len(raw) > LARGEST_KEY_BYTES:
        raise UsageError(f"{path} is far too long for a key: give the file of an Ed25519 key")
    return raw


def _names(ids: Iterable[str]) -> str:
    unique = list(dict.fromkeys(ids))
    return f"key {', '.join(unique)}" if unique else "no key"


def _cryptography() -> Any:
    """The library, with the parts that are used here."""
    with needing("signatures need cryptography", "cryptography", extra="sign"):
        import cryptography
        import cryptography.exceptions
        import cryptography.hazmat.primitives.asymmetric.ed25519
        import cryptography.hazmat.primitives.serialization
    return cryptography


def passphrase_in(file: Path | None) -> bytes | None:
    """The first line of a file; None without one.

    Raises:
        UsageError: it cannot be read, or its first line is empty.
    """
    if file is None:
        return None
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"the passphrase file {file} cannot be read: {error.strerror}; give another") from None
    if not lines or not lines[0]:
        raise UsageError(f"the first line of {file} is empty: write the passphrase there, or omit --passphrase-file")
    return lines[0]
