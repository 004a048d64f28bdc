"""Published ways to hide a request in another one, and to have two servers read the same bytes differently.

After RFC 9112 (sections 2.2, 3.2, 5, 6, 7, 11.2), Linhart et al., "HTTP Request Smuggling" (2005); Kettle, "HTTP Desync
Attacks" (2019), "HTTP/2: The Sequel is Always Worse" (2021), "Browser-Powered Desync Attacks" (2022) and "HTTP/1.1 Must
Die" (2025); Jabiyev et al., "T-Reqs" (2021); Weikop, "Funky chunks" (2025); and the lists of CVEs behind them.

Every vector hides ``HIDDEN``, whose path no proxy lets through and no server must ever see.
"""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN_PATH = "/admin/smuggled"
HIDDEN = b"POST /admin/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
JSON = b'{"text": "good"}'
START = b"POST /v1/predict HTTP/1.1\r\n"
HOST = b"Host: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Vector:
    """Bytes that a client sends over one connection.

    Attributes:
        name: of the kind, with what is odd.
        data: in one piece.
        status: of the response to the first request; from 400 on the connection is closed without another one.
        body: what the application gets, if it is asked.
    """

    name: str
    data: bytes
    status: int
    body: bytes | None = None


def post(*headers: bytes, body: bytes = b"", start: bytes = START, host: bytes = HOST) -> bytes:
    """A request to predict with these headers after the usual ones."""
    return start + host + b"".join(headers) + b"\r\n" + body


def length(of: bytes | int) -> bytes:
    """The header."""
    return b"Content-Length: %d\r\n" % (of if isinstance(of, int) else len(of))


def chunked(*headers: bytes, body: bytes, line: bytes = CHUNKED) -> bytes:
    """A request with a chunked body as it stands."""
    return post(line, *headers, body=body)


def chunk(of: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(of), of)


END = b"0\r\n\r\n"
WHOLE = chunk(JSON) + END


def refused(name: str, data: bytes, status: int = 400) -> Vector:
    """Not a request: one response, and the connection is closed."""
    return Vector(name, data, status)


def served(name: str, data: bytes, body: bytes = JSON) -> Vector:
    """A request with this body, whatever it looks like."""
    return Vector(name, data, 200, body)


def _offers() -> list[Vector]:
    """R1, R2: an offer of another protocol is ignored, and the body stays a body."""
    spread = JSON + b"\r\n" * 40 + HIDDEN
    offers = {
        "h2c, as JDK 17 sends it": b"Connection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n",
        "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Version: 13\r\n",
        "TLS/1.2": b"Connection: keep-alive, Upgrade\r\nUpgrade: TLS/1.2, HTTP/2.0\r\n",
        "in capitals, twice": b"CONNECTION: UPGRADE\r\nUPGRADE: a\r\nUpgrade: b\r\n",
        "without Connection": b"Upgrade: h2c\r\n",
    }
    found = []
    for name, offer in offers.items():
        found.append(served(f"Upgrade {name}, length", post(offer, length(JSON), body=JSON)))
        found.append(served(f"Upgrade {name}, chunked", post(offer, CHUNKED, body=WHOLE)))
        hidden = post(offer, length(spread), body=spread)
        found.append(Vector(f"Upgrade {name}, a request in the body after CR LF", hidden, 400, spread))
    return found


def _lengths() -> list[Vector]:
    """CL.CL and lengths that are read differently."""
    both = b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN)
    odd = {
        "twice, first wins": both,
        "twice, last wins": b"Content-Length: %d\r\nContent-Length: 0\r\n" % len(HIDDEN),
        "twice alike": length(HIDDEN) * 2,
        "list": b"Content-Length: 0, %d\r\n" % len(HIDDEN),
        "list alike": b"Content-Length: %d, %d\r\n" % (len(HIDDEN), len(HIDDEN)),
        "plus": b"Content-Length: +%d\r\n" % len(HIDDEN),
        "minus": b"Content-Length: -1\r\n",
        "hex": b"Content-Length: 0x10\r\n",
        "underscore": b"Content-Length: 1_0\r\n",
        "fraction": b"Content-Length: 0.0\r\n",
        "exponent": b"Content-Length: 1e2\r\n",
        "empty": b"Content-Length:\r\n",
        "blank inside": b"Content-Length: 1 0\r\n",
        "not ASCII digits": "Content-Length: ٣\r\n".encode(),
        "huge": b"Content-Length: 18446744073709551616\r\n",
        "beyond 64 bits, wraps to 0": b"Content-Length: 340282366920938463463374607431768211456\r\n",
        "blank before the colon": b"Content-Length : %d\r\n" % len(HIDDEN),
        "vertical tab": b"Content-Length: \x0b0\r\n",
        "NUL": b"Content-Length: 0\x00\r\n",
    }
    return [refused(f"CL {name}", post(line, body=HIDDEN)) for name, line in odd.items()]


def _codings() -> list[Vector]:
    """CL.TE, TE.CL, TE.TE and names of codings that are read differently."""
    hidden = END + HIDDEN
    lines = {
        "CL.TE": length(hidden) + CHUNKED,
        "TE.CL": CHUNKED + length(4),
        "TE.0": CHUNKED + length(0),
        "TE.TE, identity last": CHUNKED + b"Transfer-Encoding: identity\r\n",
        "TE.TE, unknown last": CHUNKED + b"Transfer-Encoding: cow\r\n",
        "TE.TE, unknown first": b"Transfer-Encoding: cow\r\n" + CHUNKED,
        "TE.TE, alike": CHUNKED * 2,
        "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
        "chunked not last": b"Transfer-Encoding: chunked, gzip\r\n",
        "identity": b"Transfer-Encoding: identity\r\n",
        "xchunked": b"Transfer-Encoding: xchunked\r\n",
        "quoted": b'Transfer-Encoding: "chunked"\r\n',
        "parameter": b"Transfer-Encoding: chunked;q=1\r\n",
        "comma first": b"Transfer-Encoding: ,chunked\r\n",
        "comma last": b"Transfer-Encoding: chunked,\r\n",
        "empty": b"Transfer-Encoding:\r\n",
        "empty, with CL": b"Transfer-Encoding:\r\n" + length(hidden),
        "vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
        "form feed": b"Transfer-Encoding: chunked\x0c\r\n",
        "NUL": b"Transfer-Encoding: chunked\x00\r\n",
        "no-break space": b"Transfer-Encoding: \xa0chunked\r\n",
        "blank before the colon": b"Transfer-Encoding : chunked\r\n",
        "tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
        "blank before the name": b" Transfer-Encoding: chunked\r\n",
        "obs-fold": b"Transfer-Encoding:\r\n chunked\r\n",
        "obs-fold into it": b"X-A: b\r\n Transfer-Encoding: chunked\r\n",
        "bare LF before": b"X-A: b\nTransfer-Encoding: chunked\r\n",
        "bare CR before": b"X-A: b\rTransfer-Encoding: chunked\r\n",
        "bare LF after": b"Transfer-Encoding: chunked\n" + length(hidden),
        "CR CR LF": b"Transfer-Encoding: chunked\r\r\n",
        "soft hyphen in the name": b"Transfer\xadEncoding: chunked\r\n",
        "no colon": b"Transfer-Encoding chunked\r\n",
        "name in a control character": b"\x01Transfer-Encoding: chunked\r\n",
    }
    found = [refused(f"TE {name}", post(line, body=hidden)) for name, line in lines.items()]
    found.append(refused("TE gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", body=hidden), 501))
    old = START.replace(b"1.1", b"1.0")
    found.append(refused("TE in HTTP/1.0", post(CHUNKED, body=hidden, start=old)))
    found.append(served("TE in capitals", post(b"TRANSFER-ENCODING:   CHUNKED \t\r\n", body=WHOLE)))
    found.append(
        served("an underscore is another header", post(b"Transfer_Encoding: cow\r\n", length(JSON), body=JSON))
    )
    return found


def _chunks() -> list[Vector]:
    """Chunk lines, extensions and ends that are read differently."""
    bodies = {
        "size with 0x": b"0x10\r\n" + JSON + b"\r\n" + END,
        "size with plus": b"+10\r\n" + JSON + b"\r\n" + END,
        "size with underscore": b"1_0\r\n" + JSON + b"\r\n" + END,
        "size negative": b"-1\r\n" + JSON + b"\r\n" + END,
        "size empty": b"\r\n" + JSON + b"\r\n" + END,
        "size wraps around": b"1%s10\r\n%s\r\n%s" % (b"0" * 16, JSON, END),
        "size after a blank": b" 10\r\n" + JSON + b"\r\n" + END,
        "size before a blank": b"10 \r\n" + JSON + b"\r\n" + END,
        "size and NUL": b"10\x00\r\n" + JSON + b"\r\n" + END,
        "size ends with LF": b"10\n" + JSON + b"\r\n" + END,
        "size ends with CR": b"10\r" + JSON + b"\r\n" + END,
        "data ends with LF": b"10\r\n" + JSON + b"\n" + END,
        "data ends with CR": b"10\r\n" + JSON + b"\r" + END,
        "data is too long": b"f\r\n" + JSON + b"\r\n" + END,
        "data ends with two other bytes": b"10\r\n" + JSON + b"XX" + END,
        "last chunk ends with LF": chunk(JSON) + b"0\n\r\n",
        "no empty line, a request": chunk(JSON) + b"0\r\n" + HIDDEN,
        "LF in an extension": b"10;a\nb\r\n" + JSON + b"\r\n" + END,
        "CR in an extension": b"10;a\rb\r\n" + JSON + b"\r\n" + END,
        "extension hides a request": b"10;\n" + HIDDEN + JSON + b"\r\n" + END,
        "extension without a name": b"10;\r\n" + JSON + b"\r\n" + END,
        "extension after a blank": b"10 ;a\r\n" + JSON + b"\r\n" + END,
        "extension with an open quote": b'10;a="\r\n' + JSON + b"\r\n" + END,
        "trailer with a length": chunk(JSON) + b"0\r\nContent-Length: 5\r\n\r\n",
        "trailer with obs-fold": chunk(JSON) + b"0\r\nA: b\r\n c\r\n\r\n",
        "trailer with a bare LF": chunk(JSON) + b"0\r\nA: b\nC: d\r\n\r\n",
        "trailer with a blank before the colon": chunk(JSON) + b"0\r\nA : b\r\n\r\n",
    }
    found = [refused(f"chunk: {name}", chunked(body=body + HIDDEN)) for name, body in bodies.items()]
    large = b"10;a=" + b"b" * 40_000 + b"\r\n" + JSON + b"\r\n" + END
    found.append(refused("chunk: oversize extension", chunked(body=large), 431))
    many = b"".join(b"1;%s\r\n%c\r\n" % (b"e" * 1000, byte) for byte in JSON * 4)
    found.append(refused("chunk: many extensions", chunked(body=many + END), 431))
    trailer = chunk(JSON) + b"0\r\nA: " + b"b" * 40_000 + b"\r\n\r\n"
    found.append(refused("chunk: oversize trailer", chunked(body=trailer), 431))
    fine = b'10;a=b;c="d e"\r\n' + JSON + b"\r\n0;z\r\nX-Checksum: 1\r\n\r\n"
    found.append(served("chunk: extensions and trailers", chunked(body=fine)))
    found.append(
        served(
            "chunk: digits in both cases, zeros before",
            chunked(body=b"0000A\r\n%s\r\n06\r\n%s\r\n%s" % (JSON[:10], JSON[10:], END)),
        )
    )
    return found


def _heads() -> list[Vector]:
    """Request lines, targets and hosts that are read differently; parts that are too large."""
    get = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    rows: list[tuple[str, bytes, int]] = [
        ("line ends with LF", get.replace(b"1.1\r\n", b"1.1\n"), 400),
        ("all lines end with LF", get.replace(b"\r\n", b"\n"), 400),
        ("two blanks", get.replace(b"GET /", b"GET  /"), 400),
        ("tab for a blank", get.replace(b"GET /", b"GET\t/"), 400),
        ("blank before the method", b" " + get, 400),
        ("blank in the target", get.replace(b"/livez", b"/livez /x"), 400),
        ("blank after the version", get.replace(b"1.1\r\n", b"1.1 \r\n"), 400),
        ("no version", b"GET /livez\r\nHost: localhost\r\n\r\n", 400),
        ("version in small letters", get.replace(b"HTTP", b"http"), 400),
        ("version 1.10", get.replace(b"1.1\r", b"1.10\r"), 400),
        ("version 1.2", get.replace(b"1.1\r", b"1.2\r"), 505),
        ("version 0.9", get.replace(b"1.1\r", b"0.9\r"), 505),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, 400),
        ("PROXY protocol", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get, 400),
        ("two empty lines first", b"\r\n\r\n" + get, 400),
        ("LF first", b"\n" + get, 400),
        ("NUL in the target", get.replace(b"/livez", b"/livez\x00"), 400),
        ("bytes in the target", get.replace(b"/livez", b"/livez\xff"), 400),
        ("fragment in the target", get.replace(b"/livez", b"/livez#x"), 400),
        ("authority as target", get.replace(b"GET /livez", b"CONNECT localhost:80"), 400),
        ("absolute target of another scheme", get.replace(b"/livez", b"ftp://localhost/livez"), 400),
        ("absolute target with a user", get.replace(b"/livez", b"http://a@localhost/livez"), 400),
        ("no Host", b"GET /livez HTTP/1.1\r\n\r\n", 400),
        ("two Hosts", get.replace(b"Host: localhost\r\n", b"Host: localhost\r\nHost: evil.example\r\n"), 400),
        ("Host with a path", get.replace(b"Host: localhost", b"Host: localhost/admin"), 400),
        ("Host with a blank", get.replace(b"Host: localhost", b"Host: localhost evil"), 400),
        ("Host with a user", get.replace(b"Host: localhost", b"Host: a@localhost"), 400),
        ("Host folded", get.replace(b"Host: localhost", b"Host:\r\n localhost"), 400),
        ("first header folded", get.replace(b"Host:", b" Host:"), 400),
        ("header without a name", get.replace(b"Host:", b": a\r\nHost:"), 400),
        ("header with a blank in its name", get.replace(b"Host:", b"X A: b\r\nHost:"), 400),
        ("NUL in a header", get.replace(b"Host:", b"X-A: \x00\r\nHost:"), 400),
        ("DEL in a header", get.replace(b"Host:", b"X-A: \x7f\r\nHost:"), 400),
        ("Expect unknown", post(b"Expect: 200-ok\r\n", length(HIDDEN), body=HIDDEN), 417),
        ("Expect twice", post(b"Expect: 100-continue\r\nExpect: x\r\n", length(HIDDEN), body=HIDDEN), 417),
        ("oversize header", get.replace(b"Host:", b"X-A: %s\r\nHost:" % (b"a" * 20_000)), 431),
        ("oversize head", get.replace(b"Host:", (b"X-A: %s\r\n" % (b"a" * 9_000)) * 5 + b"Host:"), 431),
        ("too many headers", get.replace(b"Host:", b"X-A: b\r\n" * 200 + b"Host:"), 431),
        ("oversize target", get.replace(b"/livez", b"/" + b"a" * 9_000), 414),
        ("oversize method", b"A" * 40 + get, 400),
    ]
    found = [refused(f"head: {name}", data + HIDDEN, status) for name, data, status in rows]
    expecting = post(b"Expect: 100-continue\r\n", length(JSON), body=JSON)
    found.append(served("head: Expect with the body at once", expecting))
    whole = post(length(JSON), body=JSON)
    found.append(served("head: absolute target", whole.replace(b"/v1", b"http://localhost/v1")))
    found.append(served("head: an empty line first", b"\r\n" + whole))
    found.append(
        Vector("head: a body on GET", post(length(HIDDEN), body=HIDDEN, start=b"GET /livez HTTP/1.1\r\n"), 200, HIDDEN)
    )
    return found


VECTORS = [*_offers(), *_lengths(), *_codings(), *_chunks(), *_heads()]
