"""The image for training and batch work, built and run: read-only, as a user of the host, stopped and resumed."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.encoder.checkpoint import save_encoder
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from tests.deploy.containers import BASE, Container, Podman, inspected
from tests.unit.training.conftest import sentences, write_csv

pytestmark = pytest.mark.drill

TAG = "localhost/bertline-batch-drill:1"
USER = 12345  # of no account, neither here nor in the image
HARDENED = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--memory=2g", "--pids-limit=64", "--network=none", "--no-healthcheck"),
)
TRAIN = ("--model", "./tiny", "--max-tokens", "32", "--precision", "fp32", "--lr", "2e-3", "--batch-tokens", "512")
MOST_BYTES = 1_500_000_000  # over the base


@pytest.fixture(scope="module")
def podman() -> Podman:
    return Podman()


@pytest.fixture(scope="module")
def image(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image's id."""
    begin_s = time.monotonic()
    yield podman.build(None, tmp_path_factory.mktemp("batch") / "image", TAG, target="batch")
    print(f"built and used in {time.monotonic() - begin_s:.0f} s, {podman.size(TAG) / 1e6:.0f} MB with its base")
    podman("image", "rm", "--force", TAG)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A directory of the user: a table, texts to predict, and a small encoder."""
    work = tmp_path / "work"
    (work / "tiny").mkdir(parents=True)
    save_encoder(work / "tiny", tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    tiny_tokenizer().save(work / "tiny")
    write_csv(work / "train.csv", sentences(480))
    write_csv(work / "later.csv", sentences(80, seed=9))
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(work)], check=True)
    return work


def run(podman: Podman, work: Path, *command: str) -> str:
    """What ``podman run`` of the image prints."""
    return podman("run", "--rm", *as_user(work), TAG, *command)


def as_user(work: Path) -> tuple[str, ...]:
    return (*HARDENED, f"--user={USER}:{USER}", f"--volume={work}:/data")


def foreign(work: Path) -> list[Path]:
    """What belongs to somebody else than the user."""
    return [one for one in work.rglob("*") if one.lstat().st_uid != USER or one.lstat().st_gid != USER]


def test_it_is_small_and_runs_nothing_as_root(podman: Podman, image: str) -> None:
    config = inspected(podman, "image", image)["Config"]
    assert isinstance(config, dict)
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["python3", "-m", "bertline.cli.container"]
    assert podman.size(image) - podman.size(BASE) < MOST_BYTES
    asked = (
        "import os, torch; print(os.getuid(), torch.version.cuda, os.access('/data', os.W_OK), os.access('/', os.W_OK))"
    )
    python = podman("run", "--rm", *HARDENED, "--volume=/data", "--entrypoint=python3", image, "-c", asked)
    assert python == "65532 None True False"
    with pytest.raises(AssertionError, match="no such file"):
        podman("run", "--rm", "--entrypoint=/bin/sh", image, "-c", "true")


def test_it_trains_evaluates_optimizes_and_predicts_a_shard(podman: Podman, image: str, work: Path) -> None:
    run(podman, work, "train", "train.csv", "--out", "films", "--epochs", "6", *TRAIN)
    figures = json.loads(run(podman, work, "evaluate", "films", "later.csv", "--json"))
    assert figures["metrics"]["accuracy"]["value"] > 0.8
    run(podman, work, "optimize", "films", "--max-accuracy-drop", "100")
    assert len(load(work / "films").manifest.engines) > 1
    run(podman, work, "predict", "films", "--input", "later.csv", "--output", "answers.csv")
    with (work / "answers.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 80
    assert foreign(work) == []


def test_stopped_it_keeps_a_checkpoint_and_resumes(podman: Podman, image: str, work: Path) -> None:
    command = ("train", "train.csv", "--out", "films", "--epochs", "20", "--patience", "20", *TRAIN)
    one = Container(podman, podman("run", "--detach", *as_user(work), TAG, *command))
    try:
        end_s = time.monotonic() + 120
        while "Epoch 3" not in one.logs():
            assert time.monotonic() < end_s, one.logs()
            time.sleep(0.2)
        podman("kill", f"--signal={signal.SIGTERM.name}", one.id)
        assert one.wait() == 130, one.logs()
        assert "training stopped at step" in one.logs()
    finally:
        podman("rm", "--force", "--time=0", one.id)
    assert not (work / "films").exists()
    run(podman, work, *command, "--resume")
    assert load(work / "films").manifest.name == "films"
    assert foreign(work) == []
