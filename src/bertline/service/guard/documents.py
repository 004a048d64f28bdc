"""Documents that are fetched from others: read up to a bound, which holds for what is unpacked too.

The only file that imports httpx. Nothing is ever asked for packed; some servers pack whatever they send.
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
    """A document cannot be had. The message is what its server did, to go behind its name."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer, unpacked.

    Attributes:
        cache_control: the header of that name, empty without one.
    """

    status: int
    body: bytes
    cache_control: str


class Fetcher:
    """Fetches documents. No redirect is followed: who answers is decided by the address that was asked.

    The variables of the environment for proxies and certificates (``HTTPS_PROXY``, ``SSL_CERT_FILE``) count.

    Args:
        timeout_s: for a document, from connecting to its last byte.
        most_bytes: of a document, as it is sent and unpacked.
    """

    def __init__(self, timeout_s: float, most_bytes: int) -> None:
        self._timeout_s, self._most_bytes = timeout_s, most_bytes
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def get(self, address: str, headers: Mapping[str, str]) -> Document:
        """The document at an address.

        Raises:
            Unreadable: it does not come in time, is too large, or is packed in a way that is not read here.
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
            raise UnreadableDocument(f"sent what cannot be read: {problem.message.partition(':')[0]}") from None
        return Document(answer.status_code, body, answer.headers.get("Cache-Control", ""))

    async def _body(self, answer: httpx.Response) -> bytes:
        coding = coding_of((name.lower(), value) for name, value in answer.headers.raw)
        unpacker = Unpacker(coding) if coding else None
        body, packed = bytearray(), 0
        async for piece in answer.aiter_raw():
            packed += len(piece)
            most = self._most_bytes + 1 - len(body)
            body += unpacker.feed(piece, most) if unpacker else piece[:most]
            if max(packed, len(body)) > self._most_bytes:
                raise UnreadableDocument(f"sent more than {self._most_bytes:,} bytes")
        if unpacker and packed:
            unpacker.end()
        return bytes(body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()
