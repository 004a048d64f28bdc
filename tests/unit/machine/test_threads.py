from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from bertline.machine.cores import usable_cores
from bertline.machine.threads import SAMPLES, sleep_if_busy

CORES = usable_cores()  # this process takes them all


def load(*running: int) -> Callable[[], str]:
    """Lines of the kernel with so many threads running, this one among them; the last one stays."""
    left = list(running)
    return lambda: f"0.52 0.58 0.59 {left.pop(0) if len(left) > 1 else left[0]}/214 31415"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was paused for; nobody waits."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def test_threads_sleep_on_an_oversubscribed_machine() -> None:
    environ: dict[str, str] = {}
    assert sleep_if_busy(environ, read=load(2), cores=CORES)
    assert environ == {"GOMP_SPINCOUNT": "0"}


def test_they_spin_where_they_are_alone_or_a_core_is_left_for_the_others() -> None:
    environ: dict[str, str] = {}
    assert not sleep_if_busy(environ, read=load(1), cores=CORES)
    assert not sleep_if_busy(environ, read=load(4), cores=CORES + 3)
    assert sleep_if_busy(environ, read=load(4), cores=CORES + 2)


def test_a_process_that_only_wakes_up_is_not_load(pauses: list[float]) -> None:
    environ: dict[str, str] = {}
    assert not sleep_if_busy(environ, read=load(*[2] * (SAMPLES - 1), 1), cores=CORES)
    assert environ == {}
    assert len(pauses) == SAMPLES - 1


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_the_environments_value_wins(name: str) -> None:
    environ = {name: "active"}
    assert not sleep_if_busy(environ, read=load(9), cores=CORES)
    assert environ == {name: "active"}


@pytest.mark.parametrize("line", ["", "0.1 0.2 0.3", "0.1 0.2 0.3 many/214 1"])
def test_a_kernel_that_does_not_tell_changes_nothing(line: str) -> None:
    environ: dict[str, str] = {}
    assert not sleep_if_busy(environ, read=lambda: line, cores=CORES)

    def absent() -> str:
        raise FileNotFoundError

    assert not sleep_if_busy(environ, read=absent, cores=CORES)
    assert environ == {}


ASKS = """
import sys
import bertline.cli.main as main
main.sleep_if_busy = lambda: print(sys.argv[1], "torch" in sys.modules)
main.main()
"""


@pytest.mark.parametrize(("verb", "asks"), [("train", True), ("distill", True), ("predict", False), ("serve", False)])
def test_the_verbs_that_train_ask_before_torch_is_there(verb: str, asks: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ASKS, verb, "--help"]
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert said.startswith(f"{verb} False\n") is asks
