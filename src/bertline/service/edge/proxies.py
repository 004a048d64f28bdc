"""The real client, scheme and host of requests that come through proxies, and the accepted host names.

Behind a proxy every request comes from the proxy, which names the client in a header. Anybody can send that header, so
only the entries of trusted proxies count (RFC 7239, section 8.1).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bertline.monitoring.addresses import OPEN_PROBES
from bertline.service.edge.cors import checked_origins
from bertline.service.edge.prefix import STATE, checked_prefix, prefix_of
from bertline.service.loopback import is_loopback

if TYPE_CHECKING:  # settings are read without a web server
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bertline.serving.problems import Problem

MOST_HOPS = 32  # that are followed: a header may have thousands
LONGEST_ADDRESS = 64
_PORT = r"(?::(?P<port>[0-9]{1,5}|_[A-Za-z0-9._-]{1,16}))?"
_ADDRESS = re.compile(rf"\[(?P<six>[0-9A-Fa-f:.]+)\]{_PORT}|(?P<four>[0-9.]+){_PORT.replace('port', 'port4')}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,255})(?::[0-9]{0,5})?")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf"(?P<name>{_TOKEN})=(?:(?P<token>{_TOKEN})|\"(?P<quoted>[^\"\\]*)\")")


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            network = ipaddress.ip_network(value)
        except ValueError:
            raise ValueError(f"{value} is neither an address nor a network such as 10.1.2.3 or 10.1.0.0/16") from None
        if network.prefixlen == 0:
            raise ValueError(f"{value} trusts every client to name any address: list the networks of the proxies")
    return values


def _host_names(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        name = value.removeprefix("*.")
        if not _HOST.fullmatch(name) or host_name(name) != name.lower().strip("[]"):
            raise ValueError(f"{value} is not a host name such as models.example.com or *.example.com, without a port")
    return values


class EdgeSettings(BaseModel):
    """Settings of proxies, host names and CORS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = Field(
        (), description="addresses or networks of the proxies in front of the server; their headers are trusted"
    )
    forwarded_header: Literal["x-forwarded", "forwarded"] = Field(
        "x-forwarded",
        description="headers that the proxies set: X-Forwarded-For, -Proto, -Host, -Prefix, or Forwarded",
    )
    root_path: Annotated[str, AfterValidator(checked_prefix)] = Field(
        "", description="path prefix at the proxy, such as /bert; default: X-Forwarded-Prefix"
    )
    strip_root_path: bool = Field(
        False, description="strip root_path from the paths of requests, if the proxy does not"
    )
    allowed_hosts: Annotated[tuple[str, ...], AfterValidator(_host_names)] = Field(
        (), description="accepted host names, such as models.example.com or *.example.com; default: see the guide"
    )
    cors_origins: Annotated[tuple[str, ...], AfterValidator(checked_origins)] = Field(
        (), description="allowed CORS origins, such as https://shop.example.com; * allows every page"
    )
    cors_credentials: bool = Field(False, description="let browsers send credentials with requests from those origins")

    @model_validator(mode="after")
    def _check_strip(self) -> Self:
        if self.strip_root_path and not self.root_path:
            raise ValueError("strip_root_path has nothing to remove: set root_path to the prefix that the proxy leaves")
        return self

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("cors_credentials with the origin * gives every page its visitor's rights: list origins")
        return self


class Address(NamedTuple):
    """The address of a client; ``port`` is 0 if it is unknown."""

    host: str
    port: int


class Hop(NamedTuple):
    """The unverified entry of one proxy."""

    client: str
    scheme: str
    host: str


class Proxies:
    """ASGI middleware: puts the real client, scheme and host in the scope of a request from trusted proxies.

    It reads the header from the end, because each entry was written by the next hop. The first address that is not a
    trusted proxy is the client; entries before it may be forged. An invalid entry ends the walk: the client is then the
    last valid one. Uvicorn's own middleware would use the invalid entry as the client's address.

    ``X-Forwarded-Prefix`` is the path prefix that a proxy has removed. RFC 7239 has no equivalent. Several values are
    ignored, because they cannot be assigned to proxies.

    Args:
        app: gets the request.
        trusted: addresses or networks of the proxies.
        header: the one that they set. The other one is ignored: most proxies pass it on from the client.
    """

    def __init__(
        self, app: ASGIApp, trusted: Sequence[str], header: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    ) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(one) for one in trusted]
        self._trusts = lru_cache(4096)(self._is_trusted)
        self._hops = _x_forwarded if header == "x-forwarded" else _forwarded
        self._prefix_header = b"x-forwarded-prefix" if header == "x-forwarded" else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            peer = scope.get("client")
            if peer and self._trusts(peer[0]):
                self._apply(scope)
        await self._app(scope, receive, send)

    def _is_trusted(self, host: str) -> bool:
        address = parse_address(f"[{host}]" if ":" in host else host)
        return address is not None and any(ipaddress.ip_address(address.host) in one for one in self._networks)

    def _apply(self, scope: Scope) -> None:
        scheme = host = ""
        for hop in islice(self._hops(scope["headers"]), MOST_HOPS):
            scheme, host = hop.scheme or scheme, hop.host or host
            address = parse_address(hop.client)
            if address is not None:
                scope["client"] = tuple(address)
            if address is None or not self._trusts(address.host):
                break
        prefixes = _values(scope["headers"], self._prefix_header)
        if len(prefixes) == 1 and (prefix := prefix_of(prefixes[0])):
            scope.setdefault("state", {})[STATE] = prefix
        if scheme.lower() in ("http", "https"):
            scope["scheme"] = scheme.lower()
        if _HOST.fullmatch(host):
            others = [one for one in scope["headers"] if one[0] != b"host"]
            scope["headers"] = [(b"host", host.encode("ascii")), *others]


@lru_cache(4096)
def parse_address(text: str) -> Address | None:
    """An address as proxies write it, with or without a port; None if it is invalid.

    >>> parse_address("192.0.2.7:4711"), parse_address("[2001:DB8::7]"), parse_address("2001:db8::7")
    (Address(host='192.0.2.7', port=4711), Address(host='2001:db8::7', port=0), Address(host='2001:db8::7', port=0))
    >>> parse_address("::ffff:192.0.2.7"), parse_address("unknown"), parse_address("192.0.2.7:99999")
    (Address(host='192.0.2.7', port=0), None, None)
    """
    text = text.strip(" \t")
    if len(text) > LONGEST_ADDRESS:
        return None
    match = _ADDRESS.fullmatch(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    if match is None:
        return None
    port = match["port"] or match["port4"] or "0"
    try:
        address = ipaddress.ip_address(match["six"] or match["four"])
    except ValueError:
        return None
    if (match["six"] is not None) != (address.version == 6) or (port.isdecimal() and int(port) > 65_535):
        return None
    # The address of an IPv4 client at an IPv6 socket.
    address = getattr(address, "ipv4_mapped", None) or address
    return Address(str(address), int(port) if port.isdecimal() else 0)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """The last values of a list header, the last one first."""
    joined = b",".join(value for one, value in headers if one == name).decode("latin-1")
    return [part.strip(" \t") for part in reversed(joined.rsplit(",", MOST_HOPS))] if joined else []


def _x_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Hop]:
    """The last entry of ``X-Forwarded-For`` first, each with its scheme and host.

    A single scheme or host applies to all addresses; several apply one by one, and are ignored if their number differs
    from that of the addresses.
    """
    headers = list(headers)
    clients = _values(headers, b"x-forwarded-for") or [""]
    schemes, hosts = (
        _beside(_values(headers, name), len(clients)) for name in (b"x-forwarded-proto", b"x-forwarded-host")
    )
    yield from map(Hop, clients, schemes, hosts)


def _beside(values: list[str], clients: int) -> list[str]:
    if len(values) == 1:
        return values * clients
    return values if len(values) == clients else [""] * clients


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Hop]:
    """The last element of ``Forwarded`` first, up to an invalid one.

    Elements are split at every comma, even inside quotes: no address, scheme or host contains one, and so a client's
    open quote cannot swallow a proxy's entry.
    """
    for element in _values(headers, b"forwarded"):
        pairs: dict[str, str] = {}
        for pair in element.split(";"):
            match = _PAIR.fullmatch(pair.strip(" \t"))
            name = match["name"].lower() if match else ""
            if match is None or name in pairs:
                return
            pairs[name] = match["token"] or match["quoted"] or ""
        yield Hop(pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", ""))


def hosts_of(settings: EdgeSettings, listening: str) -> tuple[str, ...]:
    """The accepted host names; empty accepts any.

    A service on loopback accepts loopback names only. Otherwise a web page whose own name resolves to this machine (DNS
    rebinding) could read responses.

    Args:
        settings: with ``allowed_hosts``, which take precedence.
        listening: address of the listener.

    >>> hosts_of(EdgeSettings(), "0.0.0.0"), hosts_of(EdgeSettings(), "127.0.0.1")
    ((), ('localhost', '127.0.0.1', '::1'))
    """
    if settings.allowed_hosts:
        return settings.allowed_hosts
    if not is_loopback(listening):
        return ()
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", listening)))


class Hosts:
    """The host names of this server. Probes may use any name.

    Args:
        allowed: names without ports; ``*.example.com`` is every name below ``example.com``; empty accepts any.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        names = [one.lower().strip("[]") for one in allowed]
        self._names = frozenset(one for one in names if not one.startswith("*."))
        self._endings = tuple(one.removeprefix("*") for one in names if one.startswith("*."))
        self._known = lru_cache(256)(self._has)

    def check(self, scope: Scope) -> None:
        """Check the host of a request.

        Raises:
            Problem: it is another host.
        """
        if (self._names or self._endings) and scope["path"] not in OPEN_PROBES and not self._allows(scope):
            raise _wrong_host()

    def _allows(self, scope: Scope) -> bool:
        named = [value for name, value in scope["headers"] if name == b"host"]
        return len(named) == 1 and self._known(named[0])

    def _has(self, host: bytes) -> bool:
        name = host_name(host.decode("latin-1"))
        return name is not None and (name in self._names or name.endswith(self._endings))


def host_name(host: str) -> str | None:
    """The name in a Host header, in lower case, without port and brackets; None if it is invalid."""
    match = _HOST.fullmatch(host)
    return match[1].lower().strip("[]").removesuffix(".") if match else None


def _wrong_host() -> Problem:
    from bertline.serving.problems import Code, Problem

    return Problem(
        Code.INVALID_HEADER,
        "Host does not name this server: use one of its names, or have this one added to allowed_hosts.",
        "Host",
    )
