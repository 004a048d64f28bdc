"""Fetches documents from other servers, with a size limit before and after decompression.

The only file that imports httpx. Requests never ask for compression; some servers compress regardless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from bertline.errors import BertlineError
from bertline.service.edge.content_encoding import Unpacker, coding_of
from bertline.serving.problems import Problem


class UnreadableDocument(BertlineError):
    """A document cannot be fetched. The message is a predicate for the server's name: "did not answer within 5 s"."""


@dataclass(frozen=True, slots=True)
class Document:
    """A decompressed response."""

    status: int
    body: bytes
    cache_control: str  # the header, or empty


class Fetcher:
    """Fetches documents without following redirects, so that only the configured host can answer.

    It respects ``HTTPS_PROXY`` and ``SSL_CERT_FILE``.

    Args:
        timeout_s: for a document, from connecting to its last byte.
        most_bytes: of a document, compressed and decompressed.
    """

    def __init__(self, timeout_s: float, most_bytes: int) -> None:
        self._timeout_s, self._most_bytes = timeout_s, most_bytes
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def get(self, address: str, headers: Mapping[str, str]) -> Document:
        """Fetch a document.

        Raises:
            UnreadableDocument: it times out, is too large, or has an unsupported content encoding.
        """
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._http.stream("GET", address, headers=dict(headers)) as answer,
            ):
                body = await self._body(answer)
        except TimeoutError:
            raise UnreadableDocument(f"did not answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnreadableDocument(f"cannot be reached ({type(error).__name__})") from None
        except Problem as problem:
            raise UnreadableDocument(f"sent an unreadable document: {problem.message.partition(':')[0]}") from None
        return Document(answer.status_code, body, answer.headers.get("Cache-Control", ""))

    async def _body(self, answer: httpx.Response) -> bytes:
        coding = coding_of((name.lower(), value) for name, value in answer.headers.raw)
        unpacker = Unpacker(coding) if coding else None
        body, received = bytearray(), 0
        async for piece in answer.aiter_raw():
            received += len(piece)
            most = self._most_bytes + 1 - len(body)
            body += unpacker.feed(piece, most) if unpacker else piece[:most]
            if max(received, len(body)) > self._most_bytes:
                raise UnreadableDocument(f"sent more than {self._most_bytes:,} bytes")
        if unpacker and received:
            unpacker.end()
        return bytes(body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()
