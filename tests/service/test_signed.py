"""A server that asks for signatures: what it serves, and what it refuses whenever it comes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.bundle import load
from bertline.bundle.signing import new_key, read_private_key, sign
from bertline.bundle.tree import record
from bertline.data.batching import pad
from bertline.errors import BundleError, UsageError
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.serving.process import WorkerProcess
from bertline.serving.serving import Serving
from bertline.serving.worker import Computer
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.spawn import COMMAND, ENVIRONMENT, spawned

REPLACED = "was replaced by another version while it was served: load that one"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key; the public one is beside it."""
    new_key(tmp_path / "release.key")
    return tmp_path / "release.key"


def signing_with(key: Path) -> ServeSettings:
    return ServeSettings(require_signed_by=(Path(f"{key}.pub"),), drain_s=0)


def signed(model: WordCounter, key: Path) -> WordCounter:
    sign(model.bundle, read_private_key(key))
    return model


def why_not(serving: Serving) -> str:
    """Why the server does not start."""

    async def story() -> str:
        async with serving:
            with pytest.raises(BundleError) as caught:
                await serving.until_ready()
            return str(caught.value)

    return asyncio.run(story())


def test_a_signed_bundle_is_served(key: Path) -> None:
    serving = serving_of({"reviews": signed(WordCounter(), key)}, signing_with(key))
    with TestClient(create_app(serving)) as client:
        answer = until_ready(client).post("/v1/predict", json={"text": "good"})
    assert answer.json()["predictions"][0]["label"] == "positive"


def test_an_unsigned_one_keeps_the_server_from_starting(key: Path) -> None:
    model = WordCounter()
    assert "is not signed" in why_not(serving_of({"reviews": model}, signing_with(key)))
    assert model.workers == []  # no process saw it


def test_a_key_that_cannot_be_used_keeps_the_server_from_being_made(key: Path) -> None:
    with pytest.raises(UsageError, match="is a private key, which only the signer may have"):
        serving_of({"reviews": WordCounter()}, ServeSettings(require_signed_by=(key,)))


def test_only_signed_bundles_are_loaded_later_and_a_refusal_changes_nothing(key: Path, tmp_path: Path) -> None:
    old, unsigned, tampered, new = (WordCounter(("no", f"yes {number}")) for number in range(4))
    for one in (old, tampered, new):
        signed(one, key)
    (tampered.bundle / "vocab.txt").write_text("other words")
    new_key(tmp_path / "other.key")
    stranger = signed(WordCounter(("no", "yes")), tmp_path / "other.key")
    serving = serving_of({"reviews": old}, signing_with(key), later=[unsigned, tampered, new, stranger])
    app = create_app(serving)
    with TestClient(app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50_000)) as client:
        until_ready(client)

        def put(model: WordCounter) -> Any:
            return client.put("/admin/models/reviews", json={"bundle": str(model.bundle)})

        for model, why in (
            (unsigned, "is not signed"),
            (tampered, "vocab.txt in"),
            (stranger, "have it signed by a trusted key"),
        ):
            refused = put(model)
            assert refused.status_code == 409
            assert "Nothing was changed: " in refused.text
            assert why in refused.text
            assert model.workers == []
            assert client.get("/admin/models/reviews").json()["current"]["version"] == old.version
        assert put(new).json()["current"]["version"] == new.version


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    return tmp_path / "tiny"


def other_in_place_of(bundle: Path) -> None:
    """Another whole bundle, with a tokenizer that nothing can read: whoever looked into it would say so."""
    write_tiny_bundle(bundle, engine=True, seed=1, overwrite=True)
    before = load(bundle).manifest
    (bundle / "tokenizer.json").write_bytes(b"no tokenizer")
    _, raw = before.sealed({**before.files, "tokenizer.json": record(bundle / "tokenizer.json")})
    (bundle / "bertline.json").write_bytes(raw)
    assert load(bundle).manifest.checksum != before.checksum


def test_a_bundle_that_is_swapped_between_the_check_and_the_process_is_refused_unread(tiny: Path, key: Path) -> None:
    sign(tiny, read_private_key(key))

    def swap_then_start(bundle: Path, **more: Any) -> WorkerProcess:
        other_in_place_of(bundle)
        return WorkerProcess(bundle, **more)

    told = why_not(Serving({"tiny": tiny}, signing_with(key), start_worker=swap_then_start))
    assert told == f"{tiny} {REPLACED}"


def test_a_bundle_that_is_swapped_before_its_process_is_started_anew_is_refused_unread(tiny: Path, key: Path) -> None:
    sign(tiny, read_private_key(key))

    async def story() -> None:
        async with Serving({"tiny": tiny}, signing_with(key)) as serving:
            await serving.until_ready()
            pid = serving.models.named("tiny").worker_pid
            assert pid
            other_in_place_of(tiny)
            os.kill(pid, signal.SIGKILL)
            await asyncio.wait_for(serving.failed.wait(), 60)
            assert str(serving.failure) == f"{tiny} {REPLACED}"

    asyncio.run(story())


@pytest.mark.parametrize("swap", [other_in_place_of, lambda bundle: flip_the_last_byte(bundle / "embedding.onnx")])
def test_embeddings_always_come_from_the_verified_bundle(tiny: Path, swap: Callable[[Path], None]) -> None:
    computer = Computer(tiny, None, 1, load(tiny).manifest.checksum)
    swap(tiny)
    with pytest.raises(BundleError, match=f"({REPLACED}|embedding.onnx in tiny was altered)"):
        computer.compute("embedding", pad([[2, 3]], pad_id=0), alone=True)


def flip_the_last_byte(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))


def test_the_command_serves_signed_bundles_only_and_gives_the_reason(tiny: Path, key: Path) -> None:
    sign(tiny, read_private_key(key))
    flag = ("--require-signed-by", f"{key}.pub")
    with spawned(str(tiny), *flag) as server:
        assert "tiny (version " in server.line
    altered = shutil.copytree(tiny, tiny.parent / "altered")
    (altered / "bertline.json.sig").unlink()
    command = [sys.executable, "-c", COMMAND, "serve", "--port", "0", str(altered), *flag]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: {altered} is not signed")
