"""Bundles on the hub: read from a small server that speaks its protocol; what a push hands to the hub's client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from bertline.bundle import Bundle, load
from bertline.registry.fetch import parse_address, pull_to, push
from bertline.registry.fetch.source import Absent
from tests.registry_server import COMMIT, Repository, registry_server


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A hub of one's own, in place of the public one."""
    with registry_server() as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://{server.host}")
        template = f"http://{server.host}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server


def test_a_repository_with_a_bundle_is_pulled_at_one_commit(hub: Repository, bundle: Bundle, tmp_path: Path) -> None:
    hub.files = {name: (bundle.path / name).read_bytes() for name in (*bundle.manifest.files, "bertline.json")}
    pull_to(parse_address("hf://team/reviews"), tmp_path / "out")
    assert load(tmp_path / "out").manifest == bundle.manifest
    hub.files.clear()
    with pytest.raises(Absent, match="hf://team/reviews holds no bundle: push one there with bertline models push"):
        pull_to(parse_address("hf://team/reviews"), tmp_path / "other")


def test_a_push_is_one_commit_to_a_private_repository(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class Client:
        def create_repo(self, name: str, **options: Any) -> None:
            calls.append((name, options))

        def upload_folder(self, **options: Any) -> Any:
            calls.append((options["repo_id"], options["folder_path"], options["delete_patterns"]))
            return type("Commit", (), {"oid": COMMIT})

    monkeypatch.setattr(huggingface_hub, "HfApi", Client)
    assert str(push(bundle.path, parse_address("hf://team/reviews"))) == f"hf://team/reviews@{COMMIT}"
    assert calls == [("team/reviews", {"private": True, "exist_ok": True}), ("team/reviews", bundle.path, "*")]
