"""Certificates to try HTTPS with: what real clients make of them, and what is never overwritten."""

from __future__ import annotations

import ipaddress
import ssl
import stat
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from cryptography import x509
from typer.testing import CliRunner, Result

from bertline.cli import tls as command
from bertline.cli.tls import Files, register
from bertline.errors import DestinationError, UsageError
from bertline.service.edge.tls import TlsSettings, context
from tests.programs import program

app = typer.Typer(pretty_exceptions_enable=False)
register(app)
NOW = datetime.now(UTC)


def dev(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["tls", "dev", *map(str, arguments)])


def refused(*arguments: object) -> str:
    error = dev(*arguments).exception
    assert isinstance(error, UsageError), error
    return str(error)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A directory with a certificate for this machine and models.test."""
    folder = tmp_path / "a" / "tls"
    assert dev("--out", folder, "--name", "models.test", "--name", "*.lab.test").exit_code == 0
    return folder


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def handshake(out: Path, name: str, authority: Path | None = None) -> str | None:
    """The version of TLS that the server's own context and a client that trusts the authority agree on."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    settings = TlsSettings(certificate=out / "server.pem", key=out / "server-key.pem")
    server = context(settings).wrap_bio(there, back, server_side=True)
    client = ssl.create_default_context(cafile=authority or out / "ca.pem").wrap_bio(back, there, server_hostname=name)
    for _ in range(4):
        for one in (client, server):
            with suppress(ssl.SSLWantReadError):
                one.do_handshake()
    return client.version()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "models.test", "a.lab.test"])
def test_a_client_that_trusts_the_authority_accepts_the_server_by_its_names(out: Path, name: str) -> None:
    assert handshake(out, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["other.test", "127.0.0.2", "a.b.lab.test"])
def test_and_by_no_other(out: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(out, name)


def test_keys_are_of_their_owner_only(out: Path) -> None:
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {
        "ca.pem": 0o644,
        "ca-key.pem": 0o600,
        "server.pem": 0o644,
        "server-key.pem": 0o600,
    }


def test_it_says_how_to_use_and_trust_it(tmp_path: Path) -> None:
    said = dev("--out", tmp_path / "x", "--name", "models.test").stdout
    for words in (
        f'certificate = "{tmp_path}/x/server.pem"',
        f'key = "{tmp_path}/x/server-key.pem"',
        f"curl --cacert {tmp_path}/x/ca.pem https://models.test:8000/health/live",
        f"SSL_CERT_FILE={tmp_path}/x/ca.pem",
        "for localhost, 127.0.0.1, ::1, models.test, until ",
    ):
        assert words in said


def test_existing_files_are_preserved_unless_forced(out: Path) -> None:
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "server.pem is valid until " in refused("--out", out)
    assert "pass --force to replace it and its authority" in refused("--out", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert dev("--out", out, "--force").exit_code == 0
    assert not {path.read_bytes() for path in out.iterdir()} & set(before.values())
    assert handshake(out, "localhost")
    (out.parent / "old.pem").write_bytes(before["ca.pem"])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(out, "localhost", out.parent / "old.pem")


def test_near_its_end_it_is_renewed_by_the_same_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "tls"
    with monkeypatch.context() as shorter:
        shorter.setattr(command, "SERVER_DAYS", command.RENEW_DAYS - 1)
        dev("--out", out, "--name", "models.test")
    authority, old = (out / "ca.pem").read_bytes(), certificate(out / "server.pem")
    said = dev("--out", out).stdout
    assert "server.pem was renewed: for localhost, 127.0.0.1, ::1, models.test, until " in said
    new = certificate(out / "server.pem")
    assert (out / "ca.pem").read_bytes() == authority
    assert new.not_valid_after_utc - old.not_valid_after_utc > timedelta(days=300)
    assert new.public_key() != old.public_key()
    assert handshake(out, "models.test")
    assert "is valid until" in refused("--out", out)


def test_other_names_take_force(out: Path) -> None:
    assert "server.pem is for localhost, 127.0.0.1, ::1, models.test" in refused("--out", out, "--name", "new.test")


def test_an_authority_near_its_end_is_not_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as shorter:
        shorter.setattr(command, "SERVER_DAYS", 1)
        shorter.setattr(command, "CA_DAYS", 90)
        dev("--out", tmp_path)
    assert "ca.pem expires soon: pass --force" in refused("--out", tmp_path)


def test_some_of_the_files_or_foreign_ones_are_not_touched(out: Path) -> None:
    (out / "server.pem").write_text("mine")
    assert "were not written by this command: pass --force" in refused("--out", out)
    (out / "server.pem").unlink()
    assert "has ca.pem, ca-key.pem, server-key.pem but not the other files" in refused("--out", out)
    assert not (out / "server.pem").exists()


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = dev("--out", tmp_path / "file" / "tls").exception
    assert isinstance(error, DestinationError), error
    assert "the certificates cannot be written to" in str(error)


@pytest.mark.parametrize("name", ["a b", "", "https://a.test", "a..b", "*.*.a", "-a.test", "é.test", "1.2.3.4/8"])
def test_an_invalid_name_is_refused(tmp_path: Path, name: str) -> None:
    assert "is neither a host name nor an address" in refused("--out", tmp_path / "x", "--name", name)
    assert not (tmp_path / "x").exists()


def test_the_authority_cannot_sign_for_anybody_else(out: Path) -> None:
    """Whoever finds its key has no power over other sites in browsers that trust it."""
    openssl = program("openssl")
    authority = command._read(Files.of(out).ca_key, Files.of(out).ca)
    for names, verdict in (
        (("bank.example",), "permitted subtree violation"),
        (("192.0.2.1",), "permitted subtree violation"),
        (("localhost", "127.0.0.1"), "OK"),
    ):
        command._write(out / "key", out / "forged.pem", command._server(names, authority, NOW))
        line = [openssl, "verify", "-CAfile", str(out / "ca.pem"), str(out / "forged.pem")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert verdict in done.stdout + done.stderr


def test_the_certificate_is_for_servers_and_cannot_sign(out: Path) -> None:
    extensions = certificate(out / "server.pem").extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(one) for one in ("127.0.0.1", "::1")]
