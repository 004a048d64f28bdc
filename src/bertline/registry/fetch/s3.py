"""Bundles in S3 and stores that speak its protocol, through obstore, which this file alone imports.

Credentials, region and endpoint come from the standard places: the variables ``AWS_…``, the files of the AWS command
line (``AWS_PROFILE``), a web identity (IRSA), a container's or a machine's role. ``AWS_SKIP_SIGNATURE=true`` reads
public buckets without any, ``AWS_CA_BUNDLE`` is a file of further authorities.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bertline.errors import StoreError, UsageError, needing
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.objects import Listed, Opened
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import Absent, Altered, Denied, LinkError

_CHUNK_BYTES = 64 * 2**10  # what a kill loses at most, besides what is under way
_PART_BYTES = 8 * 2**20  # of an upload
_PARTS = 2  # of a file under way at a time
_PART_TIMEOUT_S = 900  # the library's limit on stalls counts from the start of an upload, so it is none for a slow link
_OWN_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SKIP_SIGNATURE",
)  # fmt: skip
_FROM_PROGRAMS = {"credential_process", "role_arn", "sso_session", "sso_start_url"}
_METADATA = re.compile(r"/latest/(api/token|meta-data)|http://169\.254\.")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")

# What S3 calls it → what is said about the address, with the remedy.
_SENTENCES = {
    "NoSuchBucket": "has a bucket that does not exist: create it, or correct the address or AWS_ENDPOINT_URL",
    "InvalidAccessKeyId": "does not know the access key: check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "SignatureDoesNotMatch": "refuses the secret key: check AWS_SECRET_ACCESS_KEY, and AWS_REGION",
    "ExpiredToken": "says that the session has expired: get new credentials (aws sso login, AWS_SESSION_TOKEN)",
    "InvalidToken": "refuses the session token: get new credentials, or unset AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "says that this machine's clock is wrong: set it (timedatectl set-ntp true)",
    "AuthorizationHeaderMalformed": "is in another region: set AWS_REGION to the bucket's",
    "PermanentRedirect": "is in another region or at another endpoint: set AWS_REGION to the bucket's",
    "InvalidArgument": "refuses the request: check AWS_REGION and AWS_ENDPOINT_URL",
}
_DENIED = (
    "denies access: let the credentials read (s3:GetObject) or, to push, write (s3:PutObject) there, or correct the "
    "address: without s3:ListBucket, S3 also denies what does not exist"
)


class S3:
    """The objects below a bucket's prefix as ``Objects``.

    Raises:
        UsageError: obstore is not installed, or the profile cannot be used.
    """

    def __init__(self, address: Address, settings: StoreSettings) -> None:
        with needing("s3:// addresses need {}", "obstore", extra="s3"):
            import obstore
            import obstore.exceptions
            import obstore.store
        self._api: Any = obstore  # its types would have to be repeated here
        self._address = address
        bucket, _, prefix = address.place.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._tags: dict[str, str | None] = {}  # the ETag of each object that was read
        with self._errors(""):
            profile, common = _of_profile(), _client_options()
            stall = {"timeout": timedelta(days=7), "read_timeout": timedelta(seconds=settings.stall_s)}
            patience = {"timeout": timedelta(seconds=_PART_TIMEOUT_S)}
            self._store, self._uploads = (
                self._api.store.S3Store(
                    bucket,
                    client_options={**common, **limits},
                    retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=60)},
                    **profile,
                )
                for limits in (stall, patience)
            )

    def read(self, key: str, start: int = 0) -> Opened:
        """As ``Objects.read``."""
        options: dict[str, Any] = {"range": {"offset": start}} if start else {}
        if tag := self._tags.get(key):
            options["if_match"] = tag
        with self._errors(key):
            result = self._api.get(self._store, self._prefix + key, options=options)
            self._tags.setdefault(key, result.meta["e_tag"])
        return Opened(result.meta["size"], self._chunks(result, key))

    def _chunks(self, result: Any, key: str) -> Iterator[bytes]:
        stream = iter(result.stream(min_chunk_size=_CHUNK_BYTES))
        while True:
            with self._errors(key):
                chunk = next(stream, None)
            if chunk is None:
                return
            yield bytes(chunk)

    def size(self, key: str) -> int | None:
        """As ``Objects.size``."""
        try:
            with self._errors(key):
                return int(self._api.head(self._store, self._prefix + key)["size"])
        except (Absent, Denied):
            return None

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Some bytes of an object."""
        with self._errors(key):
            return bytes(self._api.get_range(self._store, self._prefix + key, start=start, length=length))

    def listed(self) -> Iterator[Listed]:
        """All objects below the prefix, in no order."""
        with self._errors(""):
            for batch in self._api.list(self._store, self._prefix.rstrip("/") or None):
                for one in batch:
                    yield Listed(one["path"].removeprefix(self._prefix), int(one["size"]), one["e_tag"])

    def put(self, key: str, content: Path | bytes) -> None:
        """As ``Objects.put``."""
        with self._errors(key):
            self._api.put(self._uploads, self._prefix + key, content, chunk_size=_PART_BYTES, max_concurrency=_PARTS)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """One sentence for each error, without what the server or the library quotes."""
        errors = self._api.exceptions
        try:
            yield
        except (errors.BaseError, OSError, ValueError) as error:
            raise _mapped(error, self._address, key) from None


def _mapped(error: Exception, address: Address, key: str) -> StoreError:
    text = str(error)
    code, status = _CODE.search(text), _STATUS.search(text)
    number = int(status[1]) if status else 0
    where = f"{address} ({key})" if key else str(address)
    if _METADATA.search(text):  # the last place where credentials are looked for: the machine's role
        return Denied(
            f"no credentials for {address}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or "
            "AWS_SKIP_SIGNATURE=true for a public bucket"
        )
    if code and code[1] in _SENTENCES:
        return Denied(f"{address} {_SENTENCES[code[1]]}")
    if "redirect" in text and "region" in text:
        return Denied(f"{address} {_SENTENCES['PermanentRedirect']}")
    if isinstance(error, FileNotFoundError) or number == 404:
        return Absent(f"{where} does not exist: check the address")
    if number in (401, 403):
        return Denied(f"{address} {_DENIED}")
    if number == 412:
        return Altered(f"{where} was replaced while it was read: run the command again")
    if number == 416:
        return Altered(f"{where} is truncated: push the bundle again with --overwrite")
    if number == 507 or (code and "Quota" in code[1]):
        return StoreError(f"{address} is full: free some space there")
    reason = f"{number} {code[1] if code else ''}".strip() if number else _reason(text)
    return LinkError(
        f"{where} cannot be reached ({reason}): check the network, AWS_ENDPOINT_URL and AWS_REGION, and run the "
        "command again, it goes on from there"
    )


def _reason(text: str) -> str:
    """A few words for a failed connection."""
    for words, reason in (
        ("Timeout", "it stalled"), ("TimedOut", "it stalled"), ("ConnectionRefused", "connection refused"),
        ("dns error", "unknown host"), ("InvalidCertificate", "its certificate is not trusted: see AWS_CA_BUNDLE"),
        ("ConnectionReset", "connection reset"),
    ):  # fmt: skip
        if words in text:
            return reason
    return "the connection failed"


def _client_options() -> dict[str, Any]:
    options: dict[str, Any] = {"connect_timeout": "10s", "allow_http": True}  # without TLS by AWS_ENDPOINT_URL only
    authorities = os.environ.get("AWS_CA_BUNDLE")
    if authorities:
        try:
            options["root_certificate"] = Path(authorities).read_bytes()
        except OSError as error:
            raise UsageError(f"AWS_CA_BUNDLE, {authorities}, cannot be read: {error.strerror}; correct it") from None
    return options


def _of_profile() -> dict[str, str]:
    """Keys, region and endpoint from the files of the AWS command line, as far as the environment has none.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
    """
    name = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    section = {
        **_section("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        **_section("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    }
    if not section and os.environ.get("AWS_PROFILE"):
        raise UsageError(f"AWS_PROFILE is {name}, which neither ~/.aws/config nor ~/.aws/credentials has: correct it")
    given: dict[str, str] = {}
    if not any(os.environ.get(one) for one in _OWN_CREDENTIALS):
        for ours, theirs in (
            ("access_key_id", "aws_access_key_id"), ("secret_access_key", "aws_secret_access_key"),
            ("session_token", "aws_session_token"),
        ):  # fmt: skip
            given |= {ours: section[theirs]} if theirs in section else {}
        if section and not given and _FROM_PROGRAMS & section.keys():
            raise UsageError(
                f"the AWS profile {name} gets its credentials from a program: export them with "
                f'eval "$(aws configure export-credentials --profile {name} --format env)"'
            )
    if "region" in section and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys():
        given["region"] = section["region"]
    if "endpoint_url" in section and not {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & os.environ.keys():
        given["endpoint"] = section["endpoint_url"]
    return given


def _section(variable: str, file: str, name: str) -> dict[str, str]:
    path = Path(os.environ.get(variable) or Path.home() / ".aws" / file)
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # its message would quote the line
        raise UsageError(f"{path} is not in the format of the AWS command line: correct it") from None
    return dict(parser[name]) if parser.has_section(name) else {}
