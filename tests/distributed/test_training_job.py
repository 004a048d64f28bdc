"""The guide's indexed Job without a cluster: against the schema, and its containers as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.training.checkpoint import STATE, working_directory
from tests.deploy.kubernetes import faults_of_kubernetes
from tests.distributed.commands import bertline
from tests.distributed.trainings import prepare, weights
from tests.docs.markdown import ROOT, blocks

pytestmark = pytest.mark.drill

PATIENCE_S = 1_200.0
BACK_OFF_S = 1.0  # of a kubelet, which waits longer
FLAGS = "--epochs 3 --batch-tokens 512 --max-tokens 32 --precision fp32 --seed 3 --checkpoint-every-s 0.05"
LOST = 75  # the exit code of a process that lost the others


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    page = ROOT / "docs/guide/deploy/training-in-parallel.md"
    [made] = [one for text in blocks(page, "yaml") if (one := yaml.safe_load(text))["kind"] == "Job"]
    return dict(made)


def test_it_fits_the_schema(job: dict[str, Any], tmp_path: Path) -> None:
    assert faults_of_kubernetes([job], tmp_path) == []


class Pods:
    """The pods of the Job, whose containers are started again when they fail, as ``restartPolicy`` says."""

    def __init__(self, job: dict[str, Any], shared: Path) -> None:
        [one] = job["spec"]["template"]["spec"]["containers"]
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
        self._shared, self._one = shared, one
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self.codes: list[tuple[int, int]] = []
        self.running = {index: self._start(index) for index in range(job["spec"]["completions"])}

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self._port, "GLOO_SOCKET_IFNAME": "lo"}
        given = {entry["name"]: entry.get("value", str(index)) for entry in self._one["env"]}
        words = [word.replace("/shared", str(self._shared)) for word in self._one["args"]]
        command = [sys.executable, "-m", "bertline.cli.main", *words, "--model", f"{self._shared}/model"]
        with (self._shared / f"pod-{index}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *FLAGS.split()], env={**os.environ, "OMP_NUM_THREADS": "1", **given, **here},
                stdout=log, stderr=log,
            )  # fmt: skip

    def look(self) -> None:
        """Start again what failed; forget what is done."""
        for index, process in [*self.running.items()]:
            code = process.poll()
            if code is None:
                continue
            self.codes.append((index, code))
            del self.running[index]
            if code != 0:
                assert len(self.codes) <= 7, self.logs()
                time.sleep(BACK_OFF_S)
                self.running[index] = self._start(index)

    def logs(self) -> str:
        return "\n".join(f"{path}: {path.read_text()[-2000:]}" for path in sorted(self._shared.glob("pod-*.log")))


def test_its_pods_train_one_model_also_when_one_is_killed(job: dict[str, Any], tmp_path: Path) -> None:
    prepare(tmp_path, "reviews.csv", rows=500)
    state, deadline_s = working_directory(tmp_path / "reviews") / STATE, time.monotonic() + PATIENCE_S
    pods = Pods(job, tmp_path)
    killed = False
    try:
        while pods.running:
            assert time.monotonic() < deadline_s, pods.logs()
            if not killed and state.exists():
                os.kill(pods.running[1].pid, signal.SIGKILL)
                killed = True
            pods.look()
            time.sleep(0.05)
    finally:
        for process in pods.running.values():
            process.kill()
            process.wait()
    print(pods.codes)
    assert killed
    assert {(1, -signal.SIGKILL), (0, LOST), (0, 0), (1, 0)} <= {*pods.codes}, pods.logs()
    here = ("train", tmp_path / "reviews.csv", "--out", tmp_path / "here", "--model", tmp_path / "model")
    bertline(*here, "--processes", "2", *FLAGS.split(), environment={**os.environ, "OMP_NUM_THREADS": "1"})
    assert weights(tmp_path / "reviews") == weights(tmp_path / "here")
