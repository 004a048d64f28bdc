"""``bertline tls``: a certificate to try HTTPS with, of an authority that is made for it."""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from bertline.destination import as_destination_error, check_place, claim, replace_file
from bertline.errors import UsageError, needing

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, DNSName, IPAddress

WHAT = "the certificates"  # in messages about where they go
EPILOG = "Example: bertline tls dev --out certificates --name models.test"
OWN_NAMES = ("localhost", "127.0.0.1", "::1")
CA_DAYS, SERVER_DAYS = 3650, 397
RENEW_DAYS = 30  # with fewer left a new one is made
EARLIER = timedelta(hours=1)  # clocks differ
_DNS_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Files(NamedTuple):
    """What lies in the directory."""

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path

    @classmethod
    def of(cls, out: Path) -> Files:
        """Their places."""
        return cls(out / "ca.pem", out / "ca-key.pem", out / "server.pem", out / "server-key.pem")


class Signed(NamedTuple):
    """A certificate and its key."""

    certificate: Certificate
    key: EllipticCurvePrivateKey


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    tls = typer.Typer(name="tls", help="Certificates for HTTPS.", no_args_is_help=True)
    tls.callback()(_certificates)  # or typer would drop the name of the only verb
    tls.command(epilog=EPILOG)(dev)
    app.add_typer(tls)


def _certificates() -> None:
    """Certificates for HTTPS."""


def dev(
    out: Annotated[Path, typer.Option("--out", help="Output directory for the four files.")] = Path("tls"),
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name or address of the server, besides localhost; may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files, including the authority.")] = False,
) -> None:
    """Create a certificate to test HTTPS on your own machines.

    It is signed by a new authority that can sign for these names only. In the certificate's last
    30 days, the same command renews it under the same authority, so that clients still trust it.
    """
    with needing("making certificates needs cryptography", "cryptography", extra="serve"):
        import cryptography  # noqa: F401
    check_place(out, WHAT, inside=True)
    with claim(out / "bertline", WHAT):
        typer.echo(_make(Files.of(out), name or [], datetime.now(UTC), force=force))


def _make(files: Files, name: list[str], now: datetime, *, force: bool) -> str:
    """Make the four files or renew two of them; returns the instructions."""
    present = [one.name for one in files if os.path.lexists(one)]
    if force or not present:
        names = tuple(dict.fromkeys((*OWN_NAMES, *(_checked(one) for one in name))))
        authority = _authority(names, now)
        _write(files.ca_key, files.ca, authority)
        done = "made"
    else:
        authority, names = _renewable(files, name, present, now)
        done = "renewed"
    server = _server(names, authority, now)
    _write(files.key, files.certificate, server)
    return _instructions(files, names, server.certificate, done)


def _renewable(files: Files, wanted: list[str], present: list[str], now: datetime) -> tuple[Signed, tuple[str, ...]]:
    """The authority that is there and the names of its certificate, if it is time for another one.

    Raises:
        UsageError: it is not, or what is there is something else.
    """
    out = files.ca.parent
    if len(present) < len(files):
        raise UsageError(
            f"{out} has {', '.join(present)} but not the other files: pass --force to replace them, or another --out"
        )
    authority, old = _read(files.ca_key, files.ca), _read(files.key, files.certificate)
    names, ends = _names(old.certificate), old.certificate.not_valid_after_utc
    if not {_checked(one) for one in wanted} <= set(names):
        raise UsageError(f"{files.certificate} is for {', '.join(names)}: pass --force to replace it and its authority")
    if ends - now > timedelta(days=RENEW_DAYS):
        raise UsageError(
            f"{files.certificate} is valid until {ends:%Y-%m-%d}: pass --force to replace it and its authority"
        )
    if authority.certificate.not_valid_after_utc - now < timedelta(days=SERVER_DAYS):
        raise UsageError(
            f"the authority {files.ca} expires soon: pass --force to replace it, and make clients trust the new one"
        )
    return authority, names


def _checked(name: str) -> str:
    """A name or an address, as certificates have it.

    Raises:
        UsageError: it is neither.
    """
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    lower = name.lower().rstrip(".")
    if not _DNS_NAME.fullmatch(lower) or len(lower) > 253:
        raise UsageError(f"--name {name} is neither a host name nor an address: write it as in models.test or 10.1.2.3")
    return lower


def _authority(names: tuple[str, ...], now: datetime) -> Signed:
    """An authority whose certificates hold for these names alone, whatever it signs (RFC 5280, section 4.2.1.10)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    title = f"bertline development authority {os.urandom(4).hex()}"  # to tell it from another one in a list
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    permitted: list[x509.GeneralName] = [_general(one.removeprefix("*."), as_network=True) for one in names]
    usage = _usage(signs_certificates=True)
    certificate = (
        _builder(subject, subject, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Signed(certificate, key)


def _server(names: tuple[str, ...], authority: Signed, now: datetime) -> Signed:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bertline development server")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(subject, authority.certificate.subject, key, now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Signed(certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, days: int
) -> CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    others = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        **others,
    )


def _general(name: str, *, as_network: bool = False) -> DNSName | IPAddress:
    from cryptography import x509

    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return x509.DNSName(name)
    return x509.IPAddress(ipaddress.ip_network(address) if as_network else address)


def _names(certificate: Certificate) -> tuple[str, ...]:
    from cryptography import x509

    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(one.value) for one in extension)


def _read(key_path: Path, path: Path) -> Signed:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        key = load_pem_private_key(key_path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        certificate, key = None, None
    if (
        certificate is None
        or not isinstance(key, EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise UsageError(f"{path} and {key_path} were not written by this command: pass --force to replace them")
    return Signed(certificate, key)


def _write(key_path: Path, path: Path, signed: Signed) -> None:
    """Put each file in its place in one step, so that a server that looks meanwhile finds the old one or the new.

    Raises:
        DestinationError: they cannot be written.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = signed.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with as_destination_error(path, WHAT):
        replace_file(key_path, key, mode=0o600)
        replace_file(path, signed.certificate.public_bytes(Encoding.PEM), mode=0o644)


def _instructions(files: Files, names: tuple[str, ...], certificate: Certificate, done: str) -> str:
    name = next((one for one in names if one not in OWN_NAMES), names[0])
    return f"""\
{files.certificate} was {done}: for {", ".join(names)}, until {certificate.not_valid_after_utc:%Y-%m-%d}

To serve with it, write in bertline.toml
  [tls]
  certificate = "{files.certificate}"
  key = "{files.key}"

To trust its authority, {files.ca}
  curl      curl --cacert {files.ca} https://{name}:8000/health/live
  Python    SSL_CERT_FILE={files.ca} python …
  Debian    cp {files.ca} /usr/local/share/ca-certificates/bertline-dev.crt && update-ca-certificates
  browsers  import it as an authority for web sites

It is for development. Keep {files.ca_key} private: anyone who has it can impersonate these names."""
