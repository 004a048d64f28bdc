"""A worker's machine has the bundle at the same path, fetches it, or says in one sentence what to do."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.distributed.workers_bundle import workers_bundle
from bertline.errors import BundleError
from bertline.registry.fetch import parse_address, push


def test_a_directory_that_is_there_is_used(bundle: Path) -> None:
    assert workers_bundle(bundle, "s3://models/reviews") == bundle


def test_without_the_directory_its_address_is_fetched(bundle: Path, tmp_path: Path) -> None:
    address = push(bundle, parse_address(f"file:{tmp_path}/store"))
    there = workers_bundle(tmp_path / "cache of the driver", str(address))
    assert load(there).manifest == load(bundle).manifest


def test_without_directory_and_address_the_machine_and_the_remedy_are_named(tmp_path: Path) -> None:
    sentence = (
        f"{socket.gethostname()} has no directory {tmp_path}/reviews: put the bundle at this path on all machines of "
        "the cluster, or give its address (s3://, oci://, hf:// or models:/NAME@ALIAS), from which each fetches it"
    )
    with pytest.raises(BundleError, match=f"^{re.escape(sentence)}$"):
        workers_bundle(tmp_path / "reviews", None)
