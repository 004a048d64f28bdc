"""The guide's program for Spark, run by a real Spark in local mode, one of whose shares is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bertline.testing.tiny import write_tiny_bundle
from tests.distributed.commands import bertline, kill_with, path_with_bertline
from tests.docs.markdown import ROOT, blocks
from tests.programs import program
from tests.unit.distributed.conftest import rows_of, write_table

pytestmark = pytest.mark.drill

SPARK = ROOT / "build" / "tools" / "spark"
SHARES = 4
FILES = {"first.parquet": 600, "second.parquet": 900}
ALONE = ("spark.ui.enabled=false", "spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1")
MORE = """
import json
print("SEEN " + json.dumps([scored.count(), scored.select("id", "text").distinct().count()]))
"""


def test_the_guides_program_answers_as_one_process(tmp_path: Path) -> None:
    assert program("java")
    if not (SPARK / ".done").is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Spark is missing: tools/spark.sh")
    write_tiny_bundle(tmp_path / "reviews")
    (tmp_path / "new").mkdir()
    for seed, (name, rows) in enumerate(FILES.items()):
        write_table(tmp_path / "new" / name, rows_of(rows, seed))
    [text] = [one for one in blocks(ROOT / "docs/guide/deploy/batch.md", "python") if "SparkSession" in one]
    for old, new in (("SHARES = 64", f"SHARES = {SHARES}"), ("/shared", str(tmp_path))):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "score.py").write_text(text + MORE, encoding="utf-8")
    environment = {**os.environ, "PATH": path_with_bertline(tmp_path), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["DRILL"] = str(tmp_path)
    environment |= {"PYSPARK_PYTHON": str(SPARK / "bin" / "python"), "JAVA_TOOL_OPTIONS": "-Xmx1g"}
    submit = [str(SPARK / "bin" / "spark-submit"), "--master", "local[2,4]"]  # two at a time, each at most four times
    with (tmp_path / "spark.log").open("w") as log:
        run = subprocess.Popen(
            [*submit, *(f"--conf={one}" for one in ALONE), str(tmp_path / "score.py")],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        try:
            os.kill(share_under(run, tmp_path), signal.SIGKILL)
            printed = run.communicate(timeout=600)[0]
        finally:
            run.kill()
            kill_with(f"DRILL={tmp_path}".encode())  # the JVM, Python's workers and the shares
            run.wait()
    logged = (tmp_path / "spark.log").read_text(encoding="utf-8")
    assert run.returncode == 0, printed + "\n".join(line for line in logged.splitlines() if " INFO " not in line)
    assert "died with <Signals.SIGKILL: 9>" in logged
    total = sum(FILES.values())
    assert f"SEEN [{total}, {total}]" in printed
    for name in FILES:
        bertline("predict", tmp_path / "reviews", "--input", tmp_path / "new" / name, "--output", tmp_path / name)
    bertline("join", tmp_path / "scored", "--output", tmp_path / "joined.parquet")
    rows = [row for name in FILES for row in pq.read_table(tmp_path / name).to_pylist()]
    assert pq.read_table(tmp_path / "joined.parquet").to_pylist() == rows


def share_under(run: subprocess.Popen[str], directory: Path) -> int:
    """The process of a share that computes: told from others' by the test's directory among its words."""
    deadline_s, wanted = time.monotonic() + 300, {b"--shard", str(directory / "scored").encode()}
    while True:
        assert run.poll() is None, (directory / "spark.log").read_text()[-3000:]
        assert time.monotonic() < deadline_s
        for path in Path("/proc").iterdir():
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
            except (OSError, NotADirectoryError):
                continue
            if words[0] == sys.executable.encode() and wanted <= {*words}:
                return int(path.name)
        time.sleep(0.05)
