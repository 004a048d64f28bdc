"""HTTPS with real handshakes: what is spoken and refused, and certificates that change while the server runs."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import ValidationError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bertline.errors import UsageError
from bertline.service import ServeSettings
from bertline.service.edge import tls as tls_module
from bertline.service.edge.security_headers import SecurityHeaders
from bertline.service.edge.tls import RenewableTls, TlsSettings, load
from bertline.service.run import Server, listen
from bertline.testing.words import WordCounter, serving_of
from tests.programs import program
from tests.service.fronted import fronted

CA, OTHER_CA = trustme.CA(), trustme.CA()
NOW = datetime.now(UTC)
GOOD = {"text": "good"}


def write(folder: Path, leaf: trustme.LeafCert) -> None:
    """Each file in one step; the key first."""
    for name, content in (
        ("key.pem", leaf.private_key_pem.bytes()),
        ("cert.pem", b"".join(one.bytes() for one in leaf.cert_chain_pems)),
    ):
        staging = folder / f".{name}"
        staging.touch(0o600)
        staging.write_bytes(content)
        staging.replace(folder / name)


def issued(*names: str, ca: trustme.CA = CA, **more: Any) -> trustme.LeafCert:
    return ca.issue_cert(*(names or ("localhost", "127.0.0.1")), **more)


def serial(leaf: trustme.LeafCert) -> int:
    return x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number


def settings_of(folder: Path, **more: Any) -> TlsSettings:
    return TlsSettings(certificate=folder / "cert.pem", key=folder / "key.pem", **more)


def trusting(*authorities: trustme.CA, shows: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """What a client knows and has."""
    made = ssl.create_default_context()
    for one in authorities:
        one.configure_trust(made)
    if shows is not None:
        shows.configure_cert(made)
    return made


@contextmanager
def served(
    tls: RenewableTls, *, around: Callable[[ASGIApp], ASGIApp] = lambda app: app, loop: Any = "auto"
) -> Iterator[int]:
    """The real server with this TLS on a free port of this machine."""
    server = Server(serving_of({"reviews": WordCounter()}, ServeSettings(drain_s=0)), lambda: None)
    config: Any = server.config
    config.ssl_context_factory = lambda *_: tls.context
    config.app, config.loop = around(config.app), loop
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=60)
    assert not thread.is_alive(), "the server did not stop"


def telling_tls(app: ASGIApp) -> ASGIApp:
    """Answers /tls with the extension."""

    async def one(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/tls":
            await JSONResponse(scope["extensions"]["tls"])(scope, receive, send)
        else:
            await app(scope, receive, send)

    return one


def live(port: int, context: ssl.SSLContext, path: str = "/health/live") -> httpx.Response:
    with httpx.Client(verify=context, timeout=30) as client:
        return client.get(f"https://127.0.0.1:{port}{path}")


def shown(port: int, *authorities: trustme.CA) -> int:
    """The serial number of the certificate that a new connection sees."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        trusting(*(authorities or (CA,))).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"").serial_number


@pytest.fixture(scope="module")
def openssl() -> str:
    return program("openssl")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server that asks for no certificate, whose own has another one between it and the authority."""
    folder = tmp_path_factory.mktemp("tls")
    write(folder, issued(ca=CA.create_child_ca()))
    (folder / "ca.pem").write_bytes(CA.cert_pem.bytes())
    with served(RenewableTls(settings_of(folder))) as one:
        yield one


@pytest.fixture
def hello(openssl: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A handshake of OpenSSL's own client."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(CA.cert_pem.bytes())

    def one(port: int, *flags: str | bytes, says: str = "") -> subprocess.CompletedProcess[str]:
        command = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(authority), *flags]
        return subprocess.run(command, input=says, capture_output=True, text=True, timeout=60, check=False)

    return one


Hello = Callable[..., subprocess.CompletedProcess[str]]


# ------------------------------------------------------------------------------------------------- what is spoken


@pytest.mark.parametrize(("flag", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken_and_the_chain_is_whole(hello: Hello, port: int, flag: str, version: str) -> None:
    done = hello(port, flag, "-showcerts", "-verify_return_error", "-verify_ip", "127.0.0.1")
    assert done.returncode == 0, done.stderr
    assert f"New, {version}, Cipher is " in done.stdout
    assert "Verification: OK" in done.stdout
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
    assert "Compression: NONE" in done.stdout


@pytest.fixture(scope="module")
def lax() -> Iterator[int]:
    """Port of a server that speaks whatever OpenSSL can: what it agrees on, the client has really offered.

    (asyncio and uvloop close the connection of a failed handshake without the alert that would say why.)
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    for kind in trustme.KeyType:
        issued(key_type=kind).configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        with suppress(OSError):  # of accept, at the end
            while True:
                plain, _ = listener.accept()
                with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1)

    with listener:
        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=30)


OLD = "DEFAULT@SECLEVEL=0"


@pytest.mark.parametrize(("flag", "version"), [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")])
def test_older_versions_are_refused_by_the_server(hello: Hello, port: int, lax: int, flag: str, version: str) -> None:
    assert re.search(rf"Protocol *: {re.escape(version)}\n", hello(lax, flag, "-cipher", OLD).stdout)
    done = hello(port, flag, "-cipher", OLD)
    assert done.returncode != 0
    assert "Cipher is (NONE)" in done.stdout


def test_the_oldest_version_is_a_setting(hello: Hello, tmp_path: Path) -> None:
    write(tmp_path, issued())
    with served(RenewableTls(settings_of(tmp_path, minimum_version="1.3"))) as port:
        assert "Cipher is (NONE)" in hello(port, "-tls1_2").stdout
        assert "New, TLSv1.3" in hello(port, "-tls1_3").stdout


@pytest.mark.parametrize(
    ("cipher", "spoken"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA256", False),  # CBC
        ("ECDHE-ECDSA-AES128-SHA", False),
        ("AES128-GCM-SHA256", False),  # no forward secrecy
        ("AECDH-AES128-SHA", False),  # no certificate
    ],
)
def test_ciphers_of_tls_1_2(hello: Hello, port: int, lax: int, cipher: str, spoken: bool) -> None:
    flags = ("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert f"Cipher is {cipher}" in hello(lax, *flags).stdout
    assert (f"Cipher is {cipher}" in hello(port, *flags).stdout) == spoken


def test_a_refused_client_that_is_still_sending_reads_why(port: int) -> None:
    """R3: also inside TLS, whose connections have no half to close."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        trusting(CA).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 400_000)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 431 ")
        connection.sendall(b"b" * 100_000)  # nobody minds


def test_http_1_1_is_agreed_on(hello: Hello, port: int) -> None:
    assert "ALPN protocol: http/1.1" in hello(port, "-alpn", "h2,http/1.1").stdout


def test_a_client_cannot_renegotiate(hello: Hello, port: int) -> None:
    done = hello(port, "-tls1_2", says="R\n")
    assert "RENEGOTIATING" in done.stderr + done.stdout
    assert "no renegotiation" in done.stderr


def test_a_name_outside_ascii_causes_no_warning(hello: Hello, port: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert hello(port, "-servername", b"\xff\xfe.example").returncode == 0
    assert capfd.readouterr().err == ""


def test_a_model_answers(port: int) -> None:
    with httpx.Client(verify=trusting(CA), base_url=f"https://127.0.0.1:{port}", timeout=30) as client:
        while client.get("/health/ready").status_code != 200:
            time.sleep(0.01)
        assert client.post("/v1/predict", json=GOOD).json()["predictions"][0]["label"] == "positive"


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 300, b"\x00" * 9, b""]
)
def test_a_plaintext_connection_is_closed_and_others_are_served(
    port: int, sent: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP" not in b"".join(iter(lambda: connection.recv(4096), b""))
    assert live(port, trusting(CA)).status_code == 200
    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_a_connection_is_closed_without_the_clients_goodbye(port: int) -> None:
    """The client reads what comes over the wire but does not answer it."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(CA).wrap_bio(there, back, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:  # less than the 30 s of both loops
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.sendall(back.read())
                there.write(wire.recv(65_536))
        client.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        wire.sendall(back.read())
        there.write(b"".join(iter(lambda: wire.recv(65_536), b"")))
    answer = b"".join(iter(lambda: client.read(65_536), b""))  # ends with the server's goodbye, or it would raise
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"status":"live"}')


# ------------------------------------------------------------------------------------------- what clients refuse


def test_clients_refuse_a_server_of_another_name(tmp_path: Path) -> None:
    write(tmp_path, issued("models.example.com"))
    with served(RenewableTls(settings_of(tmp_path))) as port, pytest.raises(httpx.ConnectError, match="IP address mis"):
        live(port, trusting(CA))


def test_clients_refuse_an_authority_that_they_do_not_know(port: int) -> None:
    with pytest.raises(httpx.ConnectError, match=r"self-signed certificate|unable to get local"):
        live(port, trusting(OTHER_CA))


def test_a_server_outlives_its_certificate_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    end = NOW - timedelta(days=1)
    write(tmp_path, issued(not_before=end - timedelta(days=9), not_after=end))
    clock = [end.timestamp() - 60]
    tls = RenewableTls(settings_of(tmp_path), lambda: clock[0])
    assert tls.expires_at == pytest.approx(end.timestamp(), abs=1)
    with served(tls) as port:
        tls.look()
        assert caplog.messages == []
        clock[0] = NOW.timestamp()
        tls.look()
        tls.look()
        assert [one for one in caplog.messages if "has expired" in one] == [
            f"the certificate {tmp_path / 'cert.pem'} has expired and clients reject it: replace it"
        ]
        with pytest.raises(httpx.ConnectError, match="certificate has expired"):
            live(port, trusting(CA))
        blind = trusting(CA)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        assert live(port, blind).status_code == 200
        write(tmp_path, issued())
        tls.look()
        assert live(port, trusting(CA)).status_code == 200


# ------------------------------------------------------------------------------------------ what it starts with


def encrypt(folder: Path, password: bytes) -> None:
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    coding = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, coding))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "cert.pem").unlink(), r"the certificate .*cert.pem does not exist: correct \[tls\]"),
        (lambda f: (f / "key.pem").unlink(), r"the key .*key.pem does not exist: correct \[tls\]"),
        (
            lambda f: (f / "cert.pem").write_text("-----"),
            r"the certificate .*cert.pem is not in PEM format: create a new one",
        ),
        (lambda f: (f / "key.pem").write_text("-----"), r"the key .*key.pem is not in PEM format: correct \[tls\]"),
        (
            lambda f: (f / "key.pem").write_bytes(issued().private_key_pem.bytes()),
            r"the key .*key.pem does not match the certificate .*cert.pem: configure a matching pair",
        ),
        (lambda f: encrypt(f, b"a"), r"the key .*key.pem has a password: set key_password_file"),
        (
            lambda f: write(f, issued(not_before=NOW - timedelta(9), not_after=NOW - timedelta(hours=1))),
            r"the certificate .*cert.pem expired at \d{4}-\d\d-\d\d \d\d:\d\d UTC: renew it",
        ),
        (
            lambda f: write(f, issued(not_before=NOW + timedelta(1))),
            r"the certificate .*cert.pem is not valid before \d{4}-\d\d-\d\d \d\d:\d\d UTC: check the clock",
        ),
        (
            lambda f: ((f / "cert.pem").unlink(), (f / "cert.pem").mkdir()),
            r"the certificate .*cert.pem cannot be read \(Is a directory\): give the server's user read permission",
        ),
    ],
)
def test_unusable_input_is_one_sentence(tmp_path: Path, spoil: Callable[[Path], Any], sentence: str) -> None:
    write(tmp_path, issued())
    load(settings_of(tmp_path), NOW.timestamp())
    spoil(tmp_path)
    with pytest.raises(UsageError) as refused:
        RenewableTls(settings_of(tmp_path))
    assert re.fullmatch(sentence + ".*", str(refused.value))


def test_a_key_may_have_a_password(tmp_path: Path) -> None:
    write(tmp_path, issued())
    encrypt(tmp_path, b"open sesame")
    password = tmp_path / "password"
    settings = settings_of(tmp_path, key_password_file=password)
    with pytest.raises(UsageError, match=r"the password file .* does not exist"):
        load(settings, NOW.timestamp())
    password.write_text("wrong-one\n")
    with pytest.raises(UsageError, match=r"the key .*key.pem cannot be read with this password") as refused:
        load(settings, NOW.timestamp())
    assert "wrong-one" not in str(refused.value)
    password.write_text("open sesame\n")
    with served(RenewableTls(settings)) as port:
        assert live(port, trusting(CA)).status_code == 200
    write(tmp_path, issued())
    with pytest.raises(UsageError, match="has no password: remove key_password_file"):
        load(settings, NOW.timestamp())


def test_a_key_that_openssl_refuses_is_a_sentence(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)  # too small by Debian's measure
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(NOW - timedelta(1)).not_valid_after(NOW + timedelta(1))
    certificate = dated.sign(key, SHA256())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    with pytest.raises(UsageError, match=r"cannot be used \(EE_KEY_TOO_SMALL\): create new ones"):
        load(settings_of(tmp_path), NOW.timestamp())


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_key_that_everybody_can_read_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warns: bool
) -> None:
    write(tmp_path, issued())
    (tmp_path / "key.pem").chmod(mode)
    load(settings_of(tmp_path), NOW.timestamp())
    assert ["chmod 600" in one for one in caplog.messages] == [True] * warns


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"certificate": "a"}, "certificate and key belong together"),
        ({"key": "a"}, "certificate and key belong together"),
        ({"key_password_file": "a"}, "has no effect without a key"),
        (
            {"certificate": "a", "key": "b", "client_certificates": "required"},
            "requires certificate, key and client_ca",
        ),
        ({"client_certificates": "optional", "client_ca": "c"}, "requires certificate, key and client_ca"),
        ({"certificate": "a", "key": "b", "client_ca": "c"}, "client_ca has no effect while"),
        ({"minimum_version": "1.1"}, "minimum_version"),
        ({"hsts_max_age_s": -1}, "hsts_max_age_s"),
    ],
)
def test_settings_that_say_nothing_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TlsSettings(**values)
    assert not TlsSettings().configured


# ------------------------------------------------------------------------------------------------ what is renewed


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_new_connections_see_the_new_certificate_and_open_ones_go_on(tmp_path: Path, loop: str) -> None:
    old, new = issued(), issued(key_type=trustme.KeyType.RSA)
    write(tmp_path, old)
    tls = RenewableTls(settings_of(tmp_path))
    with served(tls, loop=loop) as port:
        connection = HTTPSConnection("127.0.0.1", port, context=trusting(CA), timeout=30)
        assert ask(connection) == 200
        kept = connection.sock
        assert shown(port) == serial(old)
        write(tmp_path, new)
        tls.look()
        assert ask(connection) == 200
        assert connection.sock is kept, "the client had to connect anew"
        assert {shown(port) for _ in range(5)} == {serial(new)}
        connection.close()


def ask(connection: HTTPSConnection) -> int:
    connection.request("GET", "/health/live")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def put(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)


NEW = issued()
HALVES: list[Callable[[Path], Any]] = [
    lambda f: put(f, "key.pem", NEW.private_key_pem.bytes()),
    lambda f: put(f, "cert.pem", NEW.cert_chain_pems[0].bytes()),
    lambda f: put(f, "key.pem", NEW.private_key_pem.bytes()[:90]),
    lambda f: put(f, "cert.pem", NEW.cert_chain_pems[0].bytes()[:300]),
    lambda f: put(f, "key.pem", b""),
    lambda f: (f / "cert.pem").unlink(),
]


@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_new_pair_leaves_the_old_one_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, half: Callable[[Path], Any]
) -> None:
    old = issued()
    write(tmp_path, old)
    tls = RenewableTls(settings_of(tmp_path))
    with served(tls) as port:
        half(tmp_path)
        for _ in range(3):
            tls.look()
        assert shown(port) == serial(old)
        assert len(caplog.messages) == 1, "said once for one state of the files"
        assert caplog.messages[0].startswith("the previous certificate stays in use: the ")
        write(tmp_path, NEW)
        tls.look()
        assert shown(port) == serial(NEW)


def test_files_that_change_while_they_are_read_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, issued(not_after=NOW + timedelta(days=2)))
    tls = RenewableTls(settings_of(tmp_path))
    before = tls.expires_at
    write(tmp_path, issued(not_after=NOW + timedelta(days=4)))

    def overtaken(settings: TlsSettings, now_s: float) -> Any:
        found = load(settings, now_s)
        write(tmp_path, issued(not_after=NOW + timedelta(days=6)))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(tls_module, "load", overtaken)
        tls.look()
    assert tls.expires_at == before
    tls.look()
    assert tls.expires_at == pytest.approx((NOW + timedelta(days=6)).timestamp(), abs=1)


def test_a_secret_of_kubernetes_is_followed(tmp_path: Path) -> None:
    """The files are links through ``..data``, itself a link that is put to another directory in one step."""
    for number, leaf in enumerate((issued(), NEW)):
        (tmp_path / f"..{number}").mkdir()
        write(tmp_path / f"..{number}", leaf)
    (tmp_path / "..data").symlink_to("..0")
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    tls = RenewableTls(settings_of(tmp_path))
    with served(tls) as port:
        assert shown(port) != serial(NEW)
        (tmp_path / "..data_tmp").symlink_to("..1")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        tls.look()
        assert shown(port) == serial(NEW)


def test_it_looks_by_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write(tmp_path, issued())
    tls = RenewableTls(settings_of(tmp_path))
    before = tls.expires_at

    async def watched() -> None:
        watching = asyncio.create_task(tls.watch(0.01))
        write(tmp_path, issued(not_after=NOW + timedelta(days=3)))
        async with asyncio.timeout(30):
            while tls.expires_at == before:
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.wait([watching])

    asyncio.run(watched())
    assert caplog.messages[-1] == f"the certificate {tmp_path / 'cert.pem'} was reloaded"


# ----------------------------------------------------------------------------------------------- what clients show

CLIENT = issued("client@example.com", common_name="nightly, report")
STRANGER = issued("client@example.com", ca=OTHER_CA, common_name="nightly, report")
REFUSED = (httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)  # when it hears of it


@contextmanager
def asking_for(tmp_path: Path, wanted: str) -> Iterator[tuple[int, RenewableTls]]:
    write(tmp_path, issued())
    (tmp_path / "clients.pem").write_bytes(CA.cert_pem.bytes())
    tls = RenewableTls(settings_of(tmp_path, client_ca=tmp_path / "clients.pem", client_certificates=wanted))
    with served(tls, around=telling_tls) as port:
        yield port, tls


def test_a_required_certificate_is_a_gate(tmp_path: Path) -> None:
    with asking_for(tmp_path, "required") as (port, _):
        with pytest.raises(REFUSED):
            live(port, trusting(CA))
        with pytest.raises(REFUSED):
            live(port, trusting(CA, shows=STRANGER))
        expired = issued("client@example.com", not_before=NOW - timedelta(9), not_after=NOW - timedelta(1))
        with pytest.raises(REFUSED):
            live(port, trusting(CA, shows=expired))
        assert live(port, trusting(CA, shows=CLIENT)).status_code == 200
        told = live(port, trusting(CA, shows=CLIENT), "/tls").json()
    assert "CN=nightly\\, report" in told["client_cert_name"]
    assert told["client_cert_chain"] == [CLIENT.cert_chain_pems[0].bytes().decode()]
    assert told["tls_version"] == 0x0304


def test_an_optional_certificate_is_checked_if_it_is_shown(tmp_path: Path) -> None:
    with asking_for(tmp_path, "optional") as (port, _):
        told = live(port, trusting(CA), "/tls").json()
        assert (told["client_cert_name"], told["client_cert_chain"]) == (None, [])
        with pytest.raises(REFUSED):
            live(port, trusting(CA, shows=STRANGER))
        assert live(port, trusting(CA, shows=CLIENT), "/tls").json()["client_cert_name"]


def test_a_removed_authority_is_no_longer_trusted(tmp_path: Path) -> None:
    with asking_for(tmp_path, "required") as (port, tls):
        context = trusting(CA, shows=CLIENT)
        assert live(port, context).status_code == 200
        (tmp_path / "clients.pem").write_bytes(OTHER_CA.cert_pem.bytes())
        tls.look()
        with pytest.raises(REFUSED):
            live(port, context)
        assert live(port, trusting(CA, shows=STRANGER)).status_code == 200


def test_an_authority_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    write(tmp_path, issued())
    settings = settings_of(tmp_path, client_ca=tmp_path / "clients.pem", client_certificates="required")
    with pytest.raises(UsageError, match=r"the client authority .*clients.pem does not exist"):
        load(settings, NOW.timestamp())
    (tmp_path / "clients.pem").write_text("nothing")
    with pytest.raises(UsageError, match=r"the client authority .*clients.pem contains no PEM certificate"):
        load(settings, NOW.timestamp())


# ---------------------------------------------------------------------------------------------- what browsers hear


def test_hsts_is_sent_over_https_only(tmp_path: Path) -> None:
    write(tmp_path, issued())
    with served(
        RenewableTls(settings_of(tmp_path)), around=lambda app: fronted(app, security=SecurityHeaders(600))
    ) as port:
        assert hsts(port, "models.example.com") == "max-age=600"
        for own in ("localhost", f"LOCALHOST:{port}", "models.localhost", "127.0.0.1", f"[::1]:{port}"):
            assert hsts(port, own) is None, own


def hsts(port: int, host: str) -> str | None:
    context = trusting(CA)
    answer = httpx.get(f"https://127.0.0.1:{port}/health/live", verify=context, headers={"Host": host}, timeout=30)
    return answer.headers.get("Strict-Transport-Security")
