"""Which hosts are this machine, by one rule: for remote control, plain-text issuers, exposure, and HSTS."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a name or address, without a port, always means this machine.

    These are ``localhost`` and all names below it (RFC 6761, section 6.3), and the loopback addresses, also those
    that an IPv6 socket shows for IPv4 clients. The same hosts are trustworthy for browsers without HTTPS
    (https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy).

    >>> [is_loopback(one) for one in ("localhost", "models.localhost.", "127.8.0.1", "[::1]", "::ffff:127.0.0.1")]
    [True, True, True, True, True]
    >>> [is_loopback(one) for one in ("localhost.example.com", "0.0.0.0", "10.0.0.1", "127.1", "")]
    [False, False, False, False, False]
    """
    name = host.lower().removesuffix(".").removeprefix("[").removesuffix("]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
