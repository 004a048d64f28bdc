"""A bundle of 90 MB through a real OCI registry: read by skopeo and podman, and read back from what skopeo copied."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.bundle import Bundle, load
from bertline.errors import UsageError
from bertline.registry.fetch import local_bundle, parse_address, pull_to, push
from bertline.registry.fetch.source import Absent, Altered, Denied
from tests.stores.lossy import lossy
from tests.stores.registry import registry
from tests.stores.test_seaweedfs import LOST_BYTES, SIZES, started, total
from tests.unit.registry.fetch.conftest import written

pytestmark = pytest.mark.drill

# The user drill with the password "right", as htpasswd -B writes it.
HTPASSWD = "drill:$2b$05$y.i2l3CbppzuiIBoXsSrGu43U0tCSptBQC/4W4vIXsT4XGO7PQ2KO\n"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    drawn = random.Random(0)
    files = {path: drawn.randbytes(size * 10**6) for path, size in SIZES.items()}
    return written(tmp_path_factory.mktemp("bundle") / "reviews", files=files | {"config.json": b"{}"})


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def text(host: str, large: Bundle) -> str:
    push(large.path, parse_address(f"oci://{host}/team/reviews"))
    return f"oci://{host}/team/reviews"


def skopeo(*arguments: object) -> str:
    run = subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_what_is_pushed_is_an_image_that_others_read(text: str, host: str, large: Bundle) -> None:
    seen = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{host}/team/reviews"))
    assert (seen["Os"], len(seen["Layers"])) == ("linux", 2 + len(SIZES))
    assert seen["Labels"]["org.opencontainers.image.version"] == large.version
    arm = skopeo("--override-arch=arm64", "inspect", "--tls-verify=false", f"docker://{host}/team/reviews")
    assert json.loads(arm)["Layers"] == seen["Layers"]
    again = push(large.path, parse_address(text))
    assert str(again) == f"{text}@{seen['Digest']}", "the same bundle is the same image"


def test_what_skopeo_copied_is_pulled(text: str, host: str, large: Bundle, tmp_path: Path) -> None:
    near = f"docker://{host}/team/reviews"
    skopeo("copy", "--src-tls-verify=false", "--dest-compress", near, f"dir:{tmp_path / 'copy'}")
    (tmp_path / "second").mkdir()
    with registry(tmp_path / "second") as far:  # to the first one, skopeo would not send what it has uncompressed
        target = f"docker://{far}/team/reviews"
        skopeo("copy", "--dest-tls-verify=false", f"dir:{tmp_path / 'copy'}", f"{target}:packed")
        skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", near, f"{target}:all")
        assert "tar+gzip" in skopeo("inspect", "--raw", "--tls-verify=false", f"{target}:packed")
        for tag in ("packed", "all"):
            pull_to(parse_address(f"oci://{far}/team/reviews:{tag}"), tmp_path / tag)
            assert load(tmp_path / tag).manifest == large.manifest


def test_a_pull_killed_at_any_byte_goes_on_and_verifies(text: str, host: str, large: Bundle, tmp_path: Path) -> None:
    out, drawn = tmp_path / "out", random.Random(3)
    with lossy(int(host.partition(":")[2])) as link:
        link.pace_bytes_s = 30e6
        near = f"oci://127.0.0.1:{link.port}/team/reviews"
        for position in sorted(drawn.randrange(total(large)) for _ in range(10)):
            with started("models", "pull", near, "--out", out) as process:
                while link.sent_bytes < position and process.poll() is None:
                    time.sleep(0.001)
                process.kill()
            assert not out.exists()
        pull_to(parse_address(near), out)
        twice = link.sent_bytes - total(large)
    print(f"10 kills; {twice:,} bytes of {total(large):,} transferred besides the bundle")
    assert load(out).manifest == large.manifest
    assert twice < 10 * LOST_BYTES


def test_a_byte_that_changes_on_the_way_is_refused(text: str, host: str, tmp_path: Path) -> None:
    with lossy(int(host.partition(":")[2])) as link:
        link.flip_at = 30 * 10**6
        with pytest.raises(Altered, match=r"is not the file that its manifest lists \(another SHA-256\)"):
            pull_to(parse_address(f"oci://127.0.0.1:{link.port}/team/reviews"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_that_does_not_exist_and_one_of_another_kind_are_named(host: str, tmp_path: Path) -> None:
    with pytest.raises(
        Absent, match=re.escape(f"oci://{host}/team/nobody does not exist (without the manifest latest)")
    ):
        local_bundle(f"oci://{host}/team/nobody")


def test_a_user_and_a_password(tmp_path: Path, large: Bundle) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    with registry(tmp_path, tmp_path / "htpasswd") as host:
        address = parse_address(f"oci://{host}/team/reviews")
        for auth in (None, "drill:wrong", "drill:right"):
            if auth:
                entry = {"auth": base64.b64encode(auth.encode()).decode()}
                (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry}}))
            if auth == "drill:right":
                push(large.path, address)
                assert local_bundle(str(address)).is_dir()
                continue
            with pytest.raises(
                Denied, match=re.escape(f"{address} denies access: log in with docker login {host}")
            ) as caught:
                push(large.path, address)
            assert "wrong" not in str(caught.value)
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(UsageError, match="cannot be read as a file of registries' credentials: log in again"):
            local_bundle(str(address))
