"""What to believe of what a request says about itself: who asks, by which scheme, and for which host.

Behind a proxy every request comes from the proxy, which names the client in a header. Anybody can send that header, so
it counts only as far as it was written by proxies that are known (RFC 7239, section 8.1).
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

if TYPE_CHECKING:  # settings are read without a web server
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bertline.serving.problems import Problem

MOST_HOPS = 32  # that are followed: nobody has more proxies, and a header may have thousands
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
            raise ValueError(f"{value} is neither an address nor a network, as in 10.1.2.3 or 10.1.0.0/16") from None
        if network.prefixlen == 0:
            raise ValueError(f"{value} is everybody, who could then pose as anybody: name the networks of the proxies")
    return values


def _host_names(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        name = value.removeprefix("*.")
        if not _HOST.fullmatch(name) or _name(name) != name.lower().strip("[]"):
            raise ValueError(f"{value} is no host name, as in models.example.com or *.example.com, without a port")
    return values


class EdgeSettings(BaseModel):
    """What lies between clients and the service: proxies, names, and pages of other origins. None by default."""

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
        (),
        description="accepted host names, such as models.example.com or *.example.com; default: see the guide",
    )
    cors_origins: Annotated[tuple[str, ...], AfterValidator(checked_origins)] = Field(
        (), description="allowed CORS origins, such as https://shop.example.com; * allows every page"
    )
    cors_credentials: bool = Field(False, description="let browsers send credentials with requests from those origins")

    @model_validator(mode="after")
    def _something_to_strip(self) -> Self:
        if self.strip_root_path and not self.root_path:
            raise ValueError("strip_root_path has nothing to remove: set root_path to the prefix that the proxy leaves")
        return self

    @model_validator(mode="after")
    def _not_everybody_with_credentials(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("cors_credentials with the origin * lends every page its visitor's rights: list origins")
        return self


class Address(NamedTuple):
    """Of a client; ``port`` is 0 where it is not known."""

    host: str
    port: int


class Hop(NamedTuple):
    """What one proxy says of the request it got; not yet checked."""

    client: str
    scheme: str
    host: str


class Proxies:
    """ASGI middleware: put the real client, scheme and host in the scope of a request that came through known proxies.

    The header is read from its end, each entry being the word of the one after it. The first that is not a known proxy
    is the client; what is left of it could be made up. An entry that cannot be read ends the walk: the client is then
    the last that could. Uvicorn's own middleware would take such an entry for the client's address.

    ``X-Forwarded-Prefix`` is what a proxy has removed from the path. RFC 7239 has nothing for it. Of several values
    nobody can tell which proxy removed which, so none is believed.

    Args:
        app: what gets the request.
        trusted: addresses or networks of the proxies.
        header: which one they write. The other one is not looked at: most proxies pass on what a client put there.
    """

    def __init__(
        self, app: ASGIApp, trusted: Sequence[str], header: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    ) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(one) for one in trusted]
        self._trusts = lru_cache(4096)(self._among_them)
        self._hops = _x_forwarded if header == "x-forwarded" else _forwarded
        self._prefix_header = b"x-forwarded-prefix" if header == "x-forwarded" else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            peer = scope.get("client")
            if peer and self._trusts(peer[0]):
                self._believe(scope)
        await self._app(scope, receive, send)

    def _among_them(self, host: str) -> bool:
        address = parse_address(f"[{host}]" if ":" in host else host)
        if address is None:
            return False
        found = ipaddress.ip_address(address.host)
        return any(found in network for network in self._networks)

    def _believe(self, scope: Scope) -> None:
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
    """An address as proxies write it, with or without a port; None if it is none.

    >>> parse_address("192.0.2.7:4711"), parse_address("[2001:DB8::7]"), parse_address("2001:db8::7")
    (Address(host='192.0.2.7', port=4711), Address(host='2001:db8::7', port=0), Address(host='2001:db8::7', port=0))
    >>> parse_address("::ffff:192.0.2.7"), parse_address("unknown"), parse_address("192.0.2.7:99999")
    (Address(host='192.0.2.7', port=0), None, None)
    """
    text = text.strip(" \t")
    if len(text) > LONGEST_ADDRESS:
        return None
    found = _ADDRESS.fullmatch(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    if found is None:
        return None
    port = found["port"] or found["port4"] or "0"
    try:
        address = ipaddress.ip_address(found["six"] or found["four"])
    except ValueError:
        return None
    if (found["six"] is not None) != (address.version == 6) or (port.isdecimal() and int(port) > 65_535):
        return None
    # An IPv4 client of a socket that listens on IPv6.
    address = getattr(address, "ipv4_mapped", None) or address
    return Address(str(address), int(port) if port.isdecimal() else 0)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """The last parts of a list header, the last one first."""
    joined = b",".join(value for one, value in headers if one == name).decode("latin-1")
    return [part.strip(" \t") for part in reversed(joined.rsplit(",", MOST_HOPS))] if joined else []


def _x_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Hop]:
    """The last entry of ``X-Forwarded-For`` first, each with its scheme and host.

    A scheme or host that stands alone is taken to be the first proxy's; of several, each belongs to the address at the
    same place, and without as many of them as of addresses nobody can tell which.
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
    """The last element of ``Forwarded`` first, up to one that cannot be read.

    Elements are parted at every comma, also one inside quotes: no address, scheme or host has one, and so a quote that
    a client leaves open cannot swallow what a proxy wrote after it.
    """
    for element in _values(headers, b"forwarded"):
        pairs: dict[str, str] = {}
        for pair in element.split(";"):
            found = _PAIR.fullmatch(pair.strip(" \t"))
            name = found["name"].lower() if found else ""
            if found is None or name in pairs:
                return
            pairs[name] = found["token"] or found["quoted"] or ""
        yield Hop(pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", ""))


def hosts_of(settings: EdgeSettings, listening: str) -> tuple[str, ...]:
    """The names by which clients may ask; empty: by any.

    A service on this machine alone is asked by names of this machine. A page whose name its owner lets point here (DNS
    rebinding) asks by that name, and would otherwise read what only this machine should.

    Args:
        settings: whose ``allowed_hosts`` decide, if there are any.
        listening: address of the listener.

    >>> hosts_of(EdgeSettings(), "0.0.0.0"), hosts_of(EdgeSettings(), "127.0.0.1")
    ((), ('localhost', '127.0.0.1', '::1'))
    """
    if settings.allowed_hosts:
        return settings.allowed_hosts
    if not ipaddress.ip_address(listening.partition("%")[0]).is_loopback:
        return ()
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", listening)))


class Hosts:
    """The names of this server. Paths that probes ask are let through by any.

    Args:
        allowed: names without ports; ``*.example.com`` is every name below ``example.com``; empty is any.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        names = [one.lower().strip("[]") for one in allowed]
        self._names = frozenset(one for one in names if not one.startswith("*."))
        self._endings = tuple(one.removeprefix("*") for one in names if one.startswith("*."))
        self._known = lru_cache(256)(self._has)

    def check(self, scope: Scope) -> None:
        """Refuse a request for another host.

        Raises:
            Problem: invalid header.
        """
        if (self._names or self._endings) and scope["path"] not in OPEN_PROBES and not self._allows(scope):
            raise _wrong_host()

    def _allows(self, scope: Scope) -> bool:
        named = [value for name, value in scope["headers"] if name == b"host"]
        return len(named) == 1 and self._known(named[0])

    def _has(self, host: bytes) -> bool:
        name = _name(host.decode("latin-1"))
        return name is not None and (name in self._names or name.endswith(self._endings))


def _name(host: str) -> str | None:
    """The name in a Host header, to be compared; None if it cannot be one."""
    found = _HOST.fullmatch(host)
    return found[1].lower().strip("[]").removesuffix(".") if found else None


def _wrong_host() -> Problem:
    from bertline.serving.problems import Code, Problem

    return Problem(
        Code.INVALID_HEADER,
        "Host does not name this server: ask by one of its names, or have this one added to allowed_hosts.",
        "Host",
    )
