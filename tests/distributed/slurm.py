"""A real Slurm on this machine: its own munge, controller and one node, in a directory of its own, without cgroups."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.distributed.commands import kill_with
from tests.programs import program
from tools.stack import free_ports

PATIENCE_S = 300.0
CONFIG = """
ClusterName=drill
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={home}/munge/socket,cred_expire=5
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=drill Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """The commands of a Slurm that runs, and its node to end and start again.

    Args:
        home: of its configuration, state and logs.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.node = home, socket.gethostname().partition(".")[0]
        self.environment = {**os.environ, "SLURM_CONF": str(home / "slurm.conf")}
        self._daemon: subprocess.Popen[bytes] | None = None

    def __call__(self, *command: str, **more: str) -> str:
        """The output of a command of Slurm's, with more variables in its environment."""
        done = subprocess.run(
            [program("sbatch") if command[0] == "sbatch" else command[0], *command[1:]],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout

    def tasks(self, job: str) -> Mapping[int, dict[str, str]]:
        """The tasks of an array, which Slurm still knows, by number: what ``scontrol show job`` says of them."""
        lines = self("scontrol", "show", "job", job, "--oneliner").splitlines()
        facts = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]
        return {int(one["ArrayTaskId"]): one for one in facts if one.get("ArrayTaskId", "").isdecimal()}

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline_s, f"not in {PATIENCE_S:g} s: {what}\n{self.logs()}"
            time.sleep(0.2)

    def start_node(self) -> None:
        """Start the node's daemon, and wait until the controller has it."""
        self._daemon = _daemon([program("slurmd"), "-D", "-N", self.node], self.environment, self.home)
        self.until("the node is up", lambda: self("sinfo", "--noheader", "--format=%T").strip() in ("idle", "mixed"))

    def lose_node(self) -> None:
        """End the node's daemon and all of its tasks with -9, as when its power fails; the controller is told."""
        assert self._daemon is not None
        self.stop_node()
        self("scontrol", "update", f"NodeName={self.node}", "State=DOWN", "Reason=drill")

    def stop_node(self) -> None:
        """End the node's daemon and all of its tasks with -9."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
        kill_with(f"SLURM_CONF={self.home / 'slurm.conf'}".encode(), besides=b"slurmctld")

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        return "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in sorted(self.home.glob("*.log")))


@contextmanager
def slurm(cores: int) -> Iterator[Slurm]:
    """Within: a cluster of one node runs, which this user may give jobs to.

    Args:
        cores: that the node says it has; tasks are as many at a time.
    """
    if os.geteuid() != 0:
        pytest.skip("the daemons of Slurm start tasks as other users, so only root can run them")
    controller = program("slurmctld")
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="bertline-slurm-"))  # not tmp_path, which munge finds too closed
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        for name in ("munge", "state", "spool"):
            (home / name).mkdir(mode=0o755)
        made = Slurm(home)
        ports = free_ports(2)
        text = CONFIG.format(host=made.node, home=home, cores=cores, controller=ports[0], node=ports[1])
        (home / "slurm.conf").write_text(text, encoding="ascii")
        stack.enter_context(_munge(home))
        daemon = _daemon([controller, "-D", "-i"], made.environment, home)
        stack.callback(_end, daemon)
        made.until("the controller answers", lambda: _answers(made))
        stack.callback(made.stop_node)
        made.start_node()
        yield made


@contextmanager
def _munge(home: Path) -> Iterator[None]:
    """Within: a munge of this test's own vouches for users."""
    key = home / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
    flags = [f"--{name}={home / 'munge' / file}" for name, file in files.items()]
    daemon = _daemon([program("munged"), "--foreground", "--force", *flags], dict(os.environ), home)
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not (home / "munge" / "socket").exists():
            assert daemon.poll() is None, (home / "munged.log").read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        yield
    finally:
        _end(daemon)


def _daemon(command: list[str], environment: dict[str, str], home: Path) -> subprocess.Popen[bytes]:
    with (home / f"{Path(command[0]).name}.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=home)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _answers(made: Slurm) -> bool:
    return subprocess.run(["scontrol", "ping"], env=made.environment, capture_output=True, check=False).returncode == 0
