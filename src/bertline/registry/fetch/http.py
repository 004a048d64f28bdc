"""Requests over HTTP to registries and the hub: the only file here that imports httpx.

Time limits are for a connection that stands still; a transfer that moves may take as long as it does. ``HTTPS_PROXY``
and ``SSL_CERT_FILE`` are respected.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bertline.errors import needing
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.objects import Opened
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import LinkError

LARGEST_BODY_BYTES = 8 * 2**20
_CONNECT_S = 10.0
_CHUNK_BYTES = 64 * 2**10  # what a kill loses at most, besides what is under way


@dataclass(frozen=True, slots=True)
class Reply:
    """A response with its body, of at most ``LARGEST_BODY_BYTES``; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Requests about one address, which names it in messages.

    Raises:
        UsageError: httpx is not installed.
    """

    def __init__(self, address: Address, settings: StoreSettings) -> None:
        with needing(f"{address.scheme}:// addresses need {{}}", "httpx", extra="serve"):
            import httpx
        self._api: Any = httpx
        self._address, self._stall_s = address, settings.stall_s
        limits = httpx.Timeout(settings.stall_s, connect=_CONNECT_S, pool=None)
        self._client = httpx.Client(timeout=limits, follow_redirects=True, headers={"Accept-Encoding": "identity"})
        weakref.finalize(self, self._client.close)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Reply:
        """Send a request and read its response.

        Raises:
            LinkError: there was none.
        """
        with self._errors(), self._client.stream(method, url, headers=headers, content=content) as response:
            body = b""
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                body += chunk
                if len(body) > LARGEST_BODY_BYTES:
                    break
            where = {"location": str(response.url.join(response.headers.get("Location", "")))}
            return Reply(response.status_code, {**dict(response.headers), **where}, body[:LARGEST_BODY_BYTES])

    def open(self, url: str, headers: Mapping[str, str], start: int) -> Opened | Reply:
        """Read a body from an offset on; a response that is no success comes as a ``Reply``.

        Raises:
            LinkError: there was none; within ``chunks``, the connection failed.
        """
        ranged = {"Range": f"bytes={start}-"} if start else {}
        with self._errors():
            request = self._client.build_request("GET", url, headers={**headers, **ranged})
            response = self._client.send(request, stream=True)
        if response.status_code not in (200, 206):
            with self._errors():
                body = response.read()
            return Reply(response.status_code, dict(response.headers), body[:LARGEST_BODY_BYTES])
        skipped = start if response.status_code == 200 else 0  # the server knows no ranges
        length = int(response.headers.get("Content-Length", -1))
        size = length + (0 if response.status_code == 200 else start) if length >= 0 else -1
        return Opened(size, self._chunks(response, skipped))

    def _chunks(self, response: Any, skipped: int) -> Iterator[bytes]:
        try:
            with self._errors():
                for chunk in response.iter_bytes(_CHUNK_BYTES):
                    kept = chunk[skipped:]
                    skipped -= min(skipped, len(chunk))
                    if kept:
                        yield kept
        finally:
            response.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._api.TimeoutException:
            raise LinkError(f"{self._address} {self._stalled()}") from None
        except (self._api.HTTPError, self._api.InvalidURL, self._api.StreamError, OSError) as error:
            reason = (
                "its certificate is not trusted: see SSL_CERT_FILE" if "CERTIFICATE" in str(error) else "no connection"
            )
            raise LinkError(
                f"{self._address} cannot be reached ({reason}): check the network and the address, and run the command "
                "again, it goes on from there"
            ) from None

    def _stalled(self) -> str:
        return (
            f"did not answer within {self._stall_s:g} s: check the network, or raise BERTLINE_STORE_STALL_S, and run "
            "the command again, it goes on from there"
        )
