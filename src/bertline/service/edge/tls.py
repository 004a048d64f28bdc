"""HTTPS: the server's certificate, reloaded when its files change, and client certificates.

A certificate lives for weeks, the server for months. So the listener gets a context that delegates each new connection
to the newest context; open connections keep theirs. Each reload builds a new context, because loading a second
certificate of another key type keeps the first one, and client authorities cannot be removed.
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
VERIFY_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
WORLD_BITS = 0o007  # mode bits for users who are neither the owner nor in the group


class TlsSettings(BaseModel):
    """TLS settings. The default is plain HTTP; with a certificate and its key, the port serves HTTPS only."""

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
            raise ValueError("certificate and key belong together: set both or neither")
        if self.key is None and self.key_password_file is not None:
            raise ValueError("key_password_file has no effect without a key: set key, or remove it")
        asks = self.client_certificates != "none"
        if asks and (self.certificate is None or self.client_ca is None):
            raise ValueError("client_certificates requires certificate, key and client_ca: set all three")
        if self.client_ca is not None and not asks:
            raise ValueError(
                "client_ca has no effect while client_certificates is none: set it to required or optional"
            )
        return self

    @property
    def configured(self) -> bool:
        """The port speaks HTTPS."""
        return self.certificate is not None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The verified content of the files.

    Attributes:
        context: for connections.
        expires_at: when the first certificate of the chain expires, Unix time in seconds.
    """

    context: ssl.SSLContext
    expires_at: float


def context(settings: TlsSettings) -> ssl.SSLContext:
    """A TLS context for these settings, from the current files.

    Raises:
        UsageError: a file is missing, does not match the others, or is not valid now.
    """
    return load(settings, time.time()).context


def load(settings: TlsSettings, now_s: float) -> Loaded:
    """Read and check the files.

    Args:
        settings: with a certificate.
        now_s: Unix time at which the certificate must be valid.

    Raises:
        UsageError: a file is unusable; the message names it.
    """
    if settings.certificate is None or settings.key is None:
        raise UsageError(
            "there is no certificate: set certificate and key in [tls], or create them with bertline tls dev"
        )
    password = None
    if settings.key_password_file is not None:
        password = _read(settings.key_password_file, "password file").rstrip(b"\r\n")
    chain = _chain(settings.certificate)
    _check_key(settings.key, password, chain[0], settings.certificate)
    _check_dates(settings.certificate, chain[0], now_s)
    made = _context(settings)
    try:
        # A function, because otherwise OpenSSL asks for a password on the terminal.
        made.load_cert_chain(settings.certificate, settings.key, password=lambda: password or b"")
    except (ssl.SSLError, OSError) as error:
        why = getattr(error, "reason", None) or error.strerror
        raise UsageError(f"{settings.certificate} and {settings.key} cannot be used ({why}): create new ones") from None
    return Loaded(made, min(one.not_valid_after_utc.timestamp() for one in chain))


def _context(settings: TlsSettings) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = VERSIONS[settings.minimum_version]
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_ciphers(CIPHERS)
    made.set_alpn_protocols(["http/1.1"])
    made.verify_mode = VERIFY_MODES[settings.client_certificates]
    made.sslobject_class = _Parting
    if settings.client_ca is not None:
        _read(settings.client_ca, "client authority")
        try:
            made.load_verify_locations(settings.client_ca)
        except (ssl.SSLError, OSError):
            raise UsageError(
                f"the client authority {settings.client_ca} contains no PEM certificate: correct client_ca in [tls]"
            ) from None
    return made


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"the {what} {path} does not exist: correct [tls]") from None
    except OSError as error:
        raise UsageError(
            f"the {what} {path} cannot be read ({error.strerror}): give the server's user read permission"
        ) from None


def _chain(path: Path) -> list[Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(_read(path, "certificate"))
    except ValueError:
        raise UsageError(f"the certificate {path} is not in PEM format: create a new one") from None


def _check_key(path: Path, password: bytes | None, certificate: Certificate, of: Path) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path, "key")
    try:
        key = load_pem_private_key(data, password)
    except TypeError:  # a password is missing, or is one too many
        remedy = "set key_password_file" if password is None else "remove key_password_file"
        raise UsageError(f"the key {path} has {'a' if password is None else 'no'} password: {remedy}") from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "cannot be read with this password" if password is not None else "is not in PEM format"
        raise UsageError(f"the key {path} {wrong}: correct [tls]") from None
    if key.public_key() != certificate.public_key():
        raise UsageError(f"the key {path} does not match the certificate {of}: configure a matching pair")
    if path.stat().st_mode & WORLD_BITS:
        log.warning("the key %s can be read by everybody on this machine: chmod 600 %s", path, path)


def _check_dates(path: Path, certificate: Certificate, now_s: float) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now_s < begins.timestamp():
        raise UsageError(f"the certificate {path} is not valid before {begins:%Y-%m-%d %H:%M} UTC: check the clock")
    if now_s >= ends.timestamp():
        raise UsageError(f"the certificate {path} expired at {ends:%Y-%m-%d %H:%M} UTC: renew it")


class RenewableTls:
    """The TLS of a server, reloaded when its files are replaced.

    Args:
        settings: with a certificate.
        clock: Unix time in seconds.

    Raises:
        UsageError: the current files are unusable.

    Attributes:
        context: for the listener's whole life.
    """

    def __init__(self, settings: TlsSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._seen = self._state()
        self._loaded = load(settings, clock())
        self._expiry_logged = False
        newest = _Newest(ssl.PROTOCOL_TLS_SERVER)
        newest.newest = lambda: self._loaded.context
        self.context: ssl.SSLContext = newest

    @property
    def expires_at(self) -> float:
        """When the certificate in use or an intermediate one expires: Unix time in seconds."""
        return self._loaded.expires_at

    async def watch(self, every_s: float = LOOK_EVERY_S) -> None:
        """Check the files every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Reload the files if they changed and are usable; otherwise keep the old ones, with a warning.

        Uses ``stat`` instead of inotify, which misses changes on network disks and of symbolic links above the file,
        as Kubernetes makes them for secrets.
        """
        state = self._state()
        if state != self._seen:
            self._renew(state)
        if not self._expiry_logged and self._clock() >= self.expires_at:
            self._expiry_logged = True
            log.warning("the certificate %s has expired and clients reject it: replace it", self._settings.certificate)

    def _renew(self, state: list[object]) -> None:
        try:
            loaded = load(self._settings, self._clock())
        except UsageError as error:
            self._seen = state  # log once per state of the files
            log.warning("the previous certificate stays in use: %s", error)
            return
        if self._state() == state:  # otherwise they are being written: the next check sees them all
            self._seen, self._loaded, self._expiry_logged = state, loaded, False
            log.info("the certificate %s was reloaded", self._settings.certificate)

    def _state(self) -> list[object]:
        """Per file, the ``stat`` fields that change when it, or a link on its path, is replaced."""
        one = self._settings
        return [_stat(path) for path in (one.certificate, one.key, one.key_password_file, one.client_ca) if path]


class _Newest(ssl.SSLContext):
    """Delegates each new connection to the context that ``newest()`` returns.

    asyncio and uvloop create all connections with ``wrap_bio``. (A ``sni_callback`` could swap the context too, but not
    its version limits, and it prints an error for non-ASCII names.)
    """

    newest: Callable[[], ssl.SSLContext]

    def wrap_bio(self, *files: Any, **more: Any) -> ssl.SSLObject:
        """A connection."""
        return self.newest().wrap_bio(*files, **more)


class _Parting(ssl.SSLObject):
    """A connection that closes after sending close_notify, without waiting for the peer's.

    Waiting is optional (RFC 8446, section 6.1), and few clients reply while idle: each idle connection would delay the
    server's shutdown by the 30 s that asyncio and uvloop wait.
    """

    def unwrap(self) -> None:
        """End it."""
        with suppress(ssl.SSLWantReadError):
            super().unwrap()


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def extensions(transport: asyncio.BaseTransport) -> dict[str, Any]:
    """The ``scope["extensions"]`` of a connection's requests; empty without TLS.

    ``tls`` has the client's certificate and its subject (RFC 4514), as in the ASGI TLS extension
    (https://asgi.readthedocs.io/en/latest/specs/tls.html). OpenSSL has verified it: an invalid one fails the handshake.
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
