"""HTTPS: the server's certificate, taken anew when its files change, and the certificates that clients show.

A certificate lives for weeks and the server for months. So the listener gets a context that hands every new connection
to the newest one; connections that are open keep theirs. A whole context is made each time, because one that is loaded
into twice keeps the old certificate beside a new one of another key type, and never forgets a client authority.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bertline.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Of TLS 1.2, those with forward secrecy and authenticated encryption (RFC 9325, section 4.2); 1.3 has no others.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
ASKED = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
OTHERS = 0o007  # in a file's mode: whoever is neither its owner nor of its group


class TlsSettings(BaseModel):
    """Nothing set: plain HTTP. With a certificate and its key the port speaks HTTPS and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path | None = Field(None, description="PEM file with the server's certificate chain")
    key: Path | None = Field(None, description="PEM file with the certificate's private key")
    key_password_file: Path | None = Field(None, description="file with the key's password, if it has one")
    client_ca: Path | None = Field(None, description="PEM file with the authorities of client certificates")
    client_certificates: Literal["none", "optional", "required"] = Field(
        "none", description="whether clients may or must present a certificate"
    )
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="minimum TLS version")
    hsts_max_age_s: int = Field(
        31_536_000, ge=0, description="max-age of Strict-Transport-Security; 0 omits the header"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together, set both or none")
        if self.key is None and self.key_password_file is not None:
            raise ValueError("key_password_file is of no use without a key")
        asks = self.client_certificates != "none"
        if asks and (self.certificate is None or self.client_ca is None):
            raise ValueError("client_certificates takes a certificate, a key and a client_ca")
        if self.client_ca is not None and not asks:
            raise ValueError("client_ca is of no use while client_certificates is none, set it to required or optional")
        return self

    @property
    def configured(self) -> bool:
        """The port speaks HTTPS."""
        return self.certificate is not None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What lies in the files, checked.

    Attributes:
        context: for connections.
        expires_at: when the first certificate of the chain does, Unix time in seconds.
    """

    context: ssl.SSLContext
    expires_at: float


def context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of a server with these settings, from its files as they are now.

    Raises:
        UsageError: a file is missing, does not fit the others, or is not valid today.
    """
    return load(settings, time.time()).context


def load(settings: TlsSettings, now_s: float) -> Loaded:
    """Read and check the files.

    Args:
        settings: with a certificate.
        now_s: Unix time at which it has to be valid.

    Raises:
        UsageError: in one sentence, what is wrong with which file.
    """
    if settings.certificate is None or settings.key is None:
        raise UsageError("there is no certificate: set certificate and key of tls, or make them with bertline tls dev")
    password = None
    if settings.key_password_file is not None:
        password = _read(settings.key_password_file, "password file").rstrip(b"\r\n")
    chain = _chain(settings.certificate)
    _check_key(settings.key, password, chain[0], settings.certificate)
    _check_dates(settings.certificate, chain[0], now_s)
    made = _context(settings)
    try:
        # With a function, or OpenSSL would ask for a password on the terminal.
        made.load_cert_chain(settings.certificate, settings.key, password=lambda: password or b"")
    except (ssl.SSLError, OSError) as error:
        why = getattr(error, "reason", None) or error.strerror
        raise UsageError(
            f"{settings.certificate} and {settings.key} cannot be used ({why}): have them made anew"
        ) from None
    return Loaded(made, min(one.not_valid_after_utc.timestamp() for one in chain))


def _context(settings: TlsSettings) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = VERSIONS[settings.minimum_version]
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_ciphers(CIPHERS)
    made.set_alpn_protocols(["http/1.1"])
    made.verify_mode = ASKED[settings.client_certificates]
    made.sslobject_class = _Parting
    if settings.client_ca is not None:
        _read(settings.client_ca, "client authority")
        try:
            made.load_verify_locations(settings.client_ca)
        except (ssl.SSLError, OSError):
            raise UsageError(
                f"the client authority {settings.client_ca} has no certificate in PEM: correct client_ca of tls"
            ) from None
    return made


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"the {what} {path} is not there: correct the settings of tls") from None
    except OSError as error:
        raise UsageError(
            f"the {what} {path} cannot be read ({error.strerror}): let the server's user read it"
        ) from None


def _chain(path: Path) -> list[Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(_read(path, "certificate"))
    except ValueError:
        raise UsageError(f"the certificate {path} is not one in PEM: have it made anew") from None


def _check_key(path: Path, password: bytes | None, certificate: Certificate, of: Path) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path, "key")
    try:
        key = load_pem_private_key(data, password)
    except TypeError:  # a password is missing, or is one too many
        remedy = "name its key_password_file" if password is None else "leave out key_password_file"
        raise UsageError(f"the key {path} has {'a' if password is None else 'no'} password: {remedy}") from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "cannot be read with this password" if password is not None else "is not one in PEM"
        raise UsageError(f"the key {path} {wrong}: correct the settings of tls") from None
    if key.public_key() != certificate.public_key():
        raise UsageError(f"the key {path} is not that of the certificate {of}: put the two that belong together there")
    if path.stat().st_mode & OTHERS:
        log.warning("the key %s is open to everybody on this machine: chmod 600 %s", path, path)


def _check_dates(path: Path, certificate: Certificate, now_s: float) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now_s < begins.timestamp():
        raise UsageError(f"the certificate {path} is not valid before {begins:%Y-%m-%d %H:%M} UTC: check the clock")
    if now_s >= ends.timestamp():
        raise UsageError(f"the certificate {path} expired at {ends:%Y-%m-%d %H:%M} UTC: have a new one made")


class RenewableTls:
    """The TLS of a server whose files are replaced while it runs.

    Args:
        settings: with a certificate.
        clock: Unix time in seconds.

    Raises:
        UsageError: the files cannot be used as they are now.

    Attributes:
        context: for the listener, for as long as it lives.
    """

    def __init__(self, settings: TlsSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._seen = self._state()
        self._loaded = load(settings, clock())
        self._expiry_told = False
        newest = _Newest(ssl.PROTOCOL_TLS_SERVER)
        newest.newest = lambda: self._loaded.context
        self.context: ssl.SSLContext = newest

    @property
    def expires_at(self) -> float:
        """When the certificate in use, or one between it and its authority, ends: Unix time in seconds."""
        return self._loaded.expires_at

    async def watch(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look at the files every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take the files anew if they changed and can be used; otherwise go on as before, with a warning.

        Followed by ``stat`` and not by inotify, which sees nothing on network disks and where a link above the file
        is put elsewhere, as Kubernetes does with secrets.
        """
        state = self._state()
        if state != self._seen:
            self._renew(state)
        if not self._expiry_told and self._clock() >= self.expires_at:
            self._expiry_told = True
            log.warning("the certificate %s has expired and clients refuse it: replace it", self._settings.certificate)

    def _renew(self, state: list[object]) -> None:
        try:
            loaded = load(self._settings, self._clock())
        except UsageError as error:
            self._seen = state  # said once for each state of the files
            log.warning("the certificate before stays in use: %s", error)
            return
        if self._state() == state:  # otherwise they are being written: the next look has them all
            self._seen, self._loaded, self._expiry_told = state, loaded, False
            log.info("the certificate %s was taken anew", self._settings.certificate)

    def _state(self) -> list[object]:
        """Of each file, what changes when it is replaced, or a link on the way to it is."""
        one = self._settings
        return [_stat(path) for path in (one.certificate, one.key, one.key_password_file, one.client_ca) if path]


class _Newest(ssl.SSLContext):
    """Makes each connection with another context, ``newest()`` by then.

    asyncio and uvloop make all connections with ``wrap_bio``. (A ``sni_callback`` could swap the context too, but not
    its bounds, and a name that is not ASCII makes it complain on standard error.)
    """

    newest: Callable[[], ssl.SSLContext]

    def wrap_bio(self, *files: Any, **more: Any) -> ssl.SSLObject:
        """A connection."""
        return self.newest().wrap_bio(*files, **more)


class _Parting(ssl.SSLObject):
    """A connection that ends once it has said so, without waiting for the other side to say it too.

    It need not (RFC 8446, section 6.1), and few clients answer while they have nothing to read: each idle connection
    would hold up the end of the server for the 30 s that asyncio and uvloop wait.
    """

    def unwrap(self) -> None:
        """End it."""
        with suppress(ssl.SSLWantReadError):
            super().unwrap()


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def extensions(transport: asyncio.BaseTransport) -> dict[str, Any]:
    """What a connection's requests have as ``scope["extensions"]``; nothing without TLS.

    Under ``tls``: the certificate that the client showed and its subject (RFC 4514), after the ASGI TLS extension
    (https://asgi.readthedocs.io/en/latest/specs/tls.html). OpenSSL has verified it: another one ends the handshake.
    """
    connection = transport.get_extra_info("ssl_object")
    if connection is None:
        return {}
    shown = connection.getpeercert(binary_form=True)
    return {
        "tls": {
            "server_cert": None,
            "client_cert_chain": [] if shown is None else [ssl.DER_cert_to_PEM_cert(shown)],
            "client_cert_name": None if shown is None else _subject(shown),
            "client_cert_error": None,
            "tls_version": {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}.get(connection.version()),
            "cipher_suite": None,
        }
    }


def _subject(certificate: bytes) -> str:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
