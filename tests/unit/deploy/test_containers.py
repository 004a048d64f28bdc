"""Which container tool builds an image, and with which arguments. A drill runs the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.deploy import containers
from bertline.errors import BertlineError, UsageError

DIGEST = "12" * 32


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which only the programs of the test are."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def put(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f'#!/bin/sh\necho "$*" >>{programs.parent}/log\n{script}\n', encoding="utf-8")
    (programs / name).chmod(0o755)


def log(programs: Path) -> list[str]:
    return (programs.parent / "log").read_text(encoding="utf-8").splitlines()


def test_without_a_tool_one_sentence_says_what_to_do(programs: Path) -> None:
    with pytest.raises(UsageError) as refused:
        containers.find_tool()
    assert str(refused.value) == (
        "no container tool works here: install Docker, Podman or Buildah, or omit --build and build the context "
        "on another machine"
    )


def test_a_docker_client_without_its_daemon_is_passed_over(programs: Path) -> None:
    put(programs, "docker", "exit 1")
    put(programs, "podman", "")
    assert containers.find_tool() == "podman"
    put(programs, "docker", "")
    assert containers.find_tool() == "docker"


def test_podman_builds_without_times_and_ids(programs: Path) -> None:
    found = [{"Id": DIGEST, "Size": 350_000_000}]
    put(programs, "podman", f"if [ $1 = image ]; then echo '{json.dumps(found)}'; fi")
    made = containers.build(
        "podman", Path("image"), "mails:1", base="python@sha256:1", builder="python:1", options=["--no-cache"]
    )
    assert made == containers.Image("mails:1", f"sha256:{DIGEST}", 350_000_000)
    assert log(programs)[0] == (
        "build --tag mails:1 --timestamp 0 --format oci --build-arg=BASE=python@sha256:1 "
        "--build-arg=BUILDER=python:1 --no-cache image"
    )


def test_buildah_alone_is_enough(programs: Path) -> None:
    found = [{"id": DIGEST, "size": "355 MB"}]
    put(programs, "buildah", f"if [ $1 = images ]; then echo '{json.dumps(found)}'; fi")
    assert containers.build("buildah", Path("image"), "mails:1").size_bytes == 355_000_000


def test_docker_gets_only_options_that_it_has(programs: Path) -> None:
    found = [{"Id": f"sha256:{DIGEST}", "Size": 1}]
    put(programs, "docker", f"if [ $1 = image ]; then echo '{json.dumps(found)}'; fi")
    assert containers.build("docker", Path("image"), "mails:1").id == f"sha256:{DIGEST}"
    assert log(programs)[0] == "build --tag mails:1 image"


def test_a_failed_build_is_one_sentence(programs: Path) -> None:
    put(programs, "podman", "exit 125")
    with pytest.raises(BertlineError) as failed:
        containers.build("podman", Path("image"), "mails:1")
    assert str(failed.value) == "podman could not build image: its last lines above say why"
