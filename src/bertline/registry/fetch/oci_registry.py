"""A registry over the OCI distribution specification: blobs and manifests of one repository.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md (``end-…`` are its end points) and
https://distribution.github.io/distribution/spec/auth/token/ (tokens).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlencode

from bertline.errors import StoreError
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.http import Http, Reply
from bertline.registry.fetch.objects import Opened
from bertline.registry.fetch.oci_credentials import basic_credentials
from bertline.registry.fetch.part import ATTEMPTS
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import Absent, Altered, Denied, LinkError

INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
_ACCEPTED = (
    f"{INDEX}, {IMAGE}, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Registry:
    """One repository of a registry.

    Args:
        address: of the bundle there.
        settings: time limits, and which registries have no TLS.
        actions: ``pull`` or ``pull,push``, for which a token is asked.
    """

    def __init__(self, address: Address, settings: StoreSettings, actions: str) -> None:
        self._address, self._http, self._actions = address, Http(address, settings), actions
        self.host, _, self.name = address.place.partition("/")
        scheme = "http" if _LOCAL.fullmatch(self.host) or self.host in settings.plain_http else "https"
        place = "registry-1.docker.io" if self.host == "docker.io" else self.host
        self._url = f"{scheme}://{place}/v2/{self.name}"
        self._authorization: dict[str, str] = {}

    def manifest(self, reference: str) -> bytes:
        """The bytes of a manifest or an index, by tag or digest (end-3).

        Raises:
            StoreError: there is none, or the registry refuses.
        """
        reply = self._request("GET", f"{self._url}/manifests/{reference}", {"Accept": _ACCEPTED})
        return self._expected(reply, f"the manifest {reference}", 200).body

    def read(self, digest: str, start: int) -> Opened:
        """A blob from an offset on (end-2).

        Raises:
            StoreError: as ``manifest``.
        """
        url = f"{self._url}/blobs/{digest}"
        opened = self._http.open(url, self._authorization, start)
        if isinstance(opened, Reply) and opened.status == 401:
            self._authorize(opened)
            opened = self._http.open(url, self._authorization, start)
        if isinstance(opened, Reply):
            if opened.status == 416:
                raise Altered(f"the layer {digest} at {self._address} is truncated: push the bundle again")
            self._expected(opened, f"the layer {digest}", 200)
            raise AssertionError("every other status was refused")
        return opened

    def put_manifest(self, reference: str, content: bytes, media_type: str) -> None:
        """Write a manifest under a tag or its digest (end-7)."""
        reply = self._request("PUT", f"{self._url}/manifests/{reference}", {"Content-Type": media_type}, content)
        self._expected(reply, f"the manifest {reference}", 201)

    def put_blob(self, digest: str, size: int, pieces: Callable[[int], Iterator[bytes]]) -> None:
        """Write a blob, unless it is there; a broken connection is made again and goes on (end-4, 5, 6, 13).

        Args:
            digest: of the blob, ``sha256:…``.
            size: in bytes.
            pieces: the blob's bytes from an offset on.

        Raises:
            StoreError: the registry refuses it, or cannot be reached.
        """
        what = f"the layer {digest}"
        if self._request("HEAD", f"{self._url}/blobs/{digest}").status == 200:
            return
        reply = self._expected(self._request("POST", f"{self._url}/blobs/uploads/", content=b""), what, 202)
        sent, failures, place = 0, 0, reply.headers["location"]
        while sent < size:
            try:
                for piece in pieces(sent):
                    span = {"Content-Range": f"{sent}-{sent + len(piece) - 1}"}
                    octets = {**span, "Content-Type": "application/octet-stream"}
                    reply = self._expected(self._request("PATCH", place, octets, piece), what, 202)
                    sent, failures, place = sent + len(piece), 0, reply.headers["location"]
            except LinkError:
                failures += 1
                if failures == ATTEMPTS:
                    raise
                reply = self._expected(self._request("GET", place), what, 204)
                sent, place = int(reply.headers.get("range", "0--1").partition("-")[2]) + 1, reply.headers["location"]
        joint = "&" if "?" in place else "?"
        self._expected(self._request("PUT", f"{place}{joint}{urlencode({'digest': digest})}", content=b""), what, 201)

    def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Reply:
        reply = self._http.request(method, url, {**(headers or {}), **self._authorization}, content)
        if reply.status == 401:
            self._authorize(reply)
            reply = self._http.request(method, url, {**(headers or {}), **self._authorization}, content)
        return reply

    def _authorize(self, reply: Reply) -> None:
        """Get what the registry asks for: a token for this repository, or the user's password."""
        credentials = basic_credentials(self.host)
        basic = {"Authorization": f"Basic {credentials}"} if credentials else {}
        challenge = reply.headers.get("www-authenticate", "")
        if not challenge.lower().startswith("bearer"):
            self._authorization = basic
            return
        asked = dict(_CHALLENGE.findall(challenge))
        query = {"service": asked.get("service", ""), "scope": f"repository:{self.name}:{self._actions}"}
        realm = asked.get("realm", "")
        if not realm.startswith("https://") and self._url.startswith("https://"):
            raise Denied(f"{self._address} asks for the password without TLS: its registry is misconfigured")
        answer = self._http.request("GET", f"{realm}?{urlencode(query)}", basic)
        try:
            token = json.loads(answer.body) if answer.status == 200 else {}
            self._authorization = {"Authorization": f"Bearer {token.get('token') or token['access_token']}"}
        except (ValueError, KeyError, AttributeError):
            raise self._denied() from None

    def _denied(self) -> Denied:
        return Denied(
            f"{self._address} denies access: log in with docker login {self.host} (podman or skopeo login), as a user "
            f"who may {self._actions.replace(',', ' and ')} there"
        )

    def _expected(self, reply: Reply, what: str, status: int) -> Reply:
        if reply.status == status:
            return reply
        if reply.status in (401, 403):
            raise self._denied()
        if reply.status == 404:
            raise Absent(f"{self._address} does not exist (without {what}): check its name and tag")
        if reply.status == 429 or reply.status >= 500:
            raise LinkError(f"{self._address} cannot serve at the moment (HTTP {reply.status}): run the command again")
        raise StoreError(
            f"{self._address} refuses {what} (HTTP {reply.status}): check that the registry accepts OCI images"
        )
