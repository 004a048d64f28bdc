"""Fetches a provider's metadata and keys (OpenID Connect Discovery 1.0 section 4, RFC 8414), without caching."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from bertline.errors import BertlineError, SettingsError
from bertline.service.exchange import outgoing_headers
from bertline.service.guard.documents import Document, Fetcher, UnreadableDocument
from bertline.service.guard.keys import VerifyingKey, verifying_keys
from bertline.service.loopback import is_loopback

MAX_DOCUMENT_BYTES = 256 * 1024
TIMEOUT_S = 5.0  # for one document, from connecting to its last byte
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|[\s,])(?:no-store|no-cache)(?:$|[\s,=])", re.IGNORECASE)


class ProviderError(BertlineError):
    """A provider's keys cannot be fetched."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a provider, and the ``max-age`` of their response (0: not to be cached)."""

    keys: tuple[VerifyingKey, ...]
    max_age_s: float | None


def checked_issuer(issuer: str) -> str:
    """The issuer, if its URL is acceptable.

    Raises:
        SettingsError: it is not an https URL (http is for loopback), or has a query, a fragment or a password.
    """
    try:
        url = urlsplit(issuer)
        is_valid = _is_secure(url) and not (url.query or url.fragment or url.username or url.password)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise SettingsError("The issuer must be an https address without query: write it as the provider's own iss.")
    return issuer


class Discovery:
    """An HTTP client for one provider. An async context: leaving it closes the connections."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._http = Fetcher(TIMEOUT_S, MAX_DOCUMENT_BYTES)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def key_set(self) -> KeySet:
        """Fetch the provider's keys.

        Raises:
            ProviderError: the provider cannot be reached, or its response is invalid.
        """
        address = self._jwks_uri(await self._metadata())
        answer = await self._get(address)
        try:
            keys = verifying_keys(_json(answer))
        except ValueError:
            raise ProviderError(f"The provider {self._issuer} has no JWK set at its jwks_uri.") from None
        return KeySet(keys, max_age_s(answer.cache_control))

    async def _metadata(self) -> Any:
        answer: Document | None = None
        for address in _addresses(self._issuer):
            answer = await self._get(address)
            if answer.status == HTTPStatus.OK:
                break
        assert answer is not None
        return _json(answer)

    def _jwks_uri(self, metadata: Any) -> str:
        if not isinstance(metadata, dict) or metadata.get("issuer") != self._issuer:
            raise ProviderError(f"The metadata of the provider {self._issuer} names another issuer: set that one.")
        address = metadata.get("jwks_uri")
        try:
            url = urlsplit(address if isinstance(address, str) else "")
            # A remote provider must not direct requests to this machine.
            is_valid = (url.scheme == "https" or urlsplit(self._issuer).scheme == "http") and _is_secure(url)
        except ValueError:
            is_valid = False
        if not is_valid:
            raise ProviderError(f"The provider {self._issuer} has no jwks_uri that is an https address.")
        return str(address)

    async def _get(self, address: str) -> Document:
        try:  # the trace headers are those of a request with an unknown key, if that caused the fetch
            return await self._http.get(address, outgoing_headers())
        except UnreadableDocument as error:
            raise ProviderError(f"The provider {self._issuer} {error}.") from None


def _json(answer: Document) -> Any:
    """The body of a response with status 200; None for other statuses and invalid JSON."""
    try:
        return json.loads(answer.body) if answer.status == HTTPStatus.OK else None
    except (ValueError, RecursionError):
        return None


def _addresses(issuer: str) -> tuple[str, str]:
    """The metadata's URLs: after the issuer's path (OpenID Connect), or before it (RFC 8414 section 3.1)."""
    url = urlsplit(issuer)
    path = url.path.rstrip("/")
    return (
        url._replace(path=f"{path}/.well-known/openid-configuration").geturl(),
        url._replace(path=f"/.well-known/oauth-authorization-server{path}").geturl(),
    )


def _is_secure(url: SplitResult) -> bool:
    if url.scheme == "https":
        return bool(url.hostname)
    return url.scheme == "http" and is_loopback(url.hostname or "")


def max_age_s(cache_control: str) -> float | None:
    """How long a response may be cached; None if its header does not say.

    >>> max_age_s("public, max-age=3600"), max_age_s("no-store"), max_age_s("public")
    (3600.0, 0.0, None)
    """
    if _NO_CACHE.search(cache_control):
        return 0.0
    age = _MAX_AGE.search(cache_control)
    return float(age[1]) if age else None
