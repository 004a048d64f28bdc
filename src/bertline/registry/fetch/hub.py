"""Bundles on the Hugging Face hub, as plain files of a model's repository; the only file here that imports its client.

What is read is pinned to one commit, so a repository that changes meanwhile is never mixed. The token comes from
``HF_TOKEN`` or ``hf auth login``, the address of another hub from ``HF_ENDPOINT``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors as hub_errors
from huggingface_hub.utils._headers import build_hf_headers

from bertline.bundle import Bundle
from bertline.errors import StoreError
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.http import Http, Reply
from bertline.registry.fetch.objects import Opened
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import Absent, Altered, Denied, LinkError


class Hub:
    """The files of a repository at one commit as ``Objects``; they are written by ``push_commit``.

    Raises:
        StoreError: the repository or the revision cannot be read.
    """

    def __init__(self, address: Address, settings: StoreSettings) -> None:
        self._address, self._http = address, Http(address, settings)
        revision = address.pin or (None if address.tag == "latest" else address.tag)
        with _errors(address):
            self._commit = str(huggingface_hub.HfApi().model_info(address.place, revision=revision).sha)

    def read(self, key: str, start: int = 0) -> Opened:
        """As ``Objects.read``."""
        url = huggingface_hub.hf_hub_url(self._address.place, key, revision=self._commit)
        opened = self._http.open(url, build_hf_headers(), start)
        if isinstance(opened, Opened):
            return opened
        raise self._refusal(opened, key)

    def _refusal(self, reply: Reply, key: str) -> StoreError:
        if reply.status == 404:
            return Absent(f"{self._address} has no {key}: it is no bundle of bertline's")
        if reply.status in (401, 403):
            return _denied(self._address)
        if reply.status == 416:
            return Altered(f"{key} at {self._address} is truncated: push the bundle again")
        return LinkError(f"{self._address} cannot serve {key} (HTTP {reply.status}): run the command again")

    def size(self, key: str) -> int | None:
        """Nothing is known to be there: ``push_commit`` asks the hub itself."""
        return None

    def put(self, key: str, content: Path | bytes) -> None:
        """Files are not written one by one: a commit has them all."""
        raise NotImplementedError


def push_commit(bundle: Bundle, address: Address) -> str:
    """Push a verified bundle as one commit, which replaces the repository's files; returns the commit.

    A repository that does not exist is created and is private. The client goes on where an interrupted push stopped.

    Raises:
        StoreError: the hub cannot be reached, or refuses it.
    """
    api = huggingface_hub.HfApi()
    branch = address.pin or (None if address.tag == "latest" else address.tag)
    with _errors(address):
        api.create_repo(address.place, private=True, exist_ok=True)
        commit: Any = api.upload_folder(
            repo_id=address.place,
            folder_path=bundle.path,
            revision=branch,
            commit_message=f"bertline models push: {bundle.manifest.name}, version {bundle.version}",
            ignore_patterns=[".*", "**/.*"],
            delete_patterns="*",
        )
    return str(commit.oid)


def _denied(address: Address) -> Denied:
    return Denied(
        f"{address} does not exist or is not yours: check its name, and log in with hf auth login or set HF_TOKEN"
    )


@contextmanager
def _errors(address: Address) -> Iterator[None]:
    try:
        yield
    except hub_errors.RevisionNotFoundError:
        raise Absent(f"{address} has no such revision: name a branch, a tag or a commit after @") from None
    except (hub_errors.RepositoryNotFoundError, hub_errors.GatedRepoError, hub_errors.LocalTokenNotFoundError):
        raise _denied(address) from None
    except hub_errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        if status in (401, 403):
            raise _denied(address) from None
        raise LinkError(f"{address} cannot be used at the moment (HTTP {status}): run the command again") from None
    except Exception as error:  # the client passes on errors of its HTTP library and of the operating system
        raise LinkError(
            f"{address} cannot be reached ({type(error).__name__}): check the network and HF_ENDPOINT, and run the "
            "command again"
        ) from None
