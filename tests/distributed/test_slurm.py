"""The guide's batch files under a real Slurm: an array that is requeued and loses its node, and a training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle
from tests.distributed.commands import bertline, path_with_bertline
from tests.distributed.slurm import Slurm, slurm
from tests.distributed.trainings import prepare, weights
from tests.docs.markdown import ROOT, blocks
from tests.unit.distributed.conftest import rows_of, write_table

pytestmark = pytest.mark.drill

GUIDE = ROOT / "docs" / "guide" / "deploy"
TASKS = 8
ROWS = {"first.csv": 1_500, "second.csv": 2_500}
OVER = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    with slurm(cores=4) as made:
        yield made


def test_an_array_that_is_requeued_and_loses_its_node_answers_as_one_process(cluster: Slurm, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "reviews")
    (tmp_path / "new").mkdir()
    for name, rows in ROWS.items():
        write_table(tmp_path / "new" / name, rows_of(rows))
    [file] = [one for one in blocks(GUIDE / "batch.md", "bash") if "SBATCH" in one]
    assert file.count("64") == 2
    (tmp_path / "array.sh").write_text(file.replace("64", str(TASKS)), encoding="utf-8")

    where = (f"--chdir={tmp_path}", f"--output={tmp_path}/task-%a.log", "--open-mode=append")
    said = cluster("sbatch", "--parsable", *where, str(tmp_path / "array.sh"), PATH=path_with_bertline(tmp_path))
    job = said.strip()
    state = lambda: {number: one["JobState"] for number, one in cluster.tasks(job).items()}  # noqa: E731
    cluster.until("a task runs", lambda: state().get(2) == "RUNNING")
    cluster("scontrol", "requeue", f"{job}_2")  # as when a job of more priority takes its place
    scored = tmp_path / "scored"
    cluster.until("a shard is done", lambda: any(scored.glob("part-*")))
    cluster.until("others run", lambda: "RUNNING" in state().values())
    cluster.lose_node()
    cluster.until("no task runs", lambda: not {"RUNNING", "COMPLETING"} & {*state().values()})
    done_before = {path.name for path in scored.glob("part-*")}
    cluster.start_node()
    cluster.until("all tasks are over", lambda: len(state()) == TASKS and {*state().values()} <= {*OVER})

    tasks = cluster.tasks(job)
    logs = "\n".join(path.read_text() for path in sorted(tmp_path.glob("task-*.log")))
    assert {one["JobState"] for one in tasks.values()} == {"COMPLETED"}, f"{tasks}\n{logs}"
    restarts = {number: int(one["Restarts"]) for number, one in tasks.items()}
    print(f"restarts by task: {restarts}; {len(done_before)} shards were done when the node was lost")
    assert restarts[2] >= 1
    assert sum(restarts.values()) >= 2
    assert done_before
    bertline("join", scored, "--output", tmp_path / "joined.csv")
    lines: list[bytes] = []
    for name in ROWS:
        target = tmp_path / f"plain-{name}"
        bertline("predict", tmp_path / "reviews", "--input", tmp_path / "new" / name, "--output", target)
        header, _, rest = target.read_bytes().partition(b"\n")
        lines += [rest] if lines else [header + b"\n", rest]
    assert (tmp_path / "joined.csv").read_bytes() == b"".join(lines)


def test_the_tasks_of_a_job_train_one_model(cluster: Slurm, tmp_path: Path) -> None:
    prepare(tmp_path, "reviews.csv", rows=400)
    [file] = [one for one in blocks(GUIDE / "training-in-parallel.md", "bash") if "SBATCH" in one]
    flags = f"--epochs 2 --max-tokens 32 --precision fp32 --seed 3 --model {tmp_path}/model"
    changed = (
        ("--nodes=2 --ntasks-per-node=4 --gpus-per-task=1 --cpus-per-task=8", "--ntasks=2 --cpus-per-task=1"),
        ("/shared/reviews", f"{tmp_path}/there {flags}"),
    )
    for old, new in changed:
        assert old in file
        file = file.replace(old, new)
    (tmp_path / "train.sh").write_text(file, encoding="utf-8")
    log = tmp_path / "train.log"
    where = (f"--chdir={tmp_path}", f"--output={log}", "--wait")
    cluster("sbatch", *where, str(tmp_path / "train.sh"), PATH=path_with_bertline(tmp_path), GLOO_SOCKET_IFNAME="lo")
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    here = ("train", tmp_path / "reviews.csv", "--out", tmp_path / "here", "--processes", "2", *flags.split())
    bertline(*here, environment=one_thread)
    assert weights(tmp_path / "there") == weights(tmp_path / "here"), log.read_text()
