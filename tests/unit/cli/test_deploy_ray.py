from __future__ import annotations

from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from bertline.cli import deploy_ray
from bertline.errors import UsageError
from tests.unit.deploy.charts import DIGEST, MEASURED

PREDICT = ("predict", "s3://models/reviews", "--input", "s3://data/new", "--output", "s3://data/scored")
app = typer.Typer()
app.callback()(lambda: None)
deploy_ray.register(app)


def write(out: Path, *flags: str, command: tuple[str, ...] = PREDICT) -> dict[str, object]:
    image = f"hub.example/batch@{DIGEST}"
    done = CliRunner().invoke(app, ["ray", "nightly", "--image", image, "--out", str(out), *flags, "--", *command])
    if done.exception is not None:
        raise done.exception
    job: dict[str, object] = next(yaml.safe_load_all(out.read_text(encoding="utf-8")))["spec"]
    assert done.output == f"{out}: {job['entrypoint']}\n"
    return job


def test_it_writes_the_job_with_the_memory_of_a_plan(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(MEASURED.model_dump_json(), encoding="utf-8")
    spec = write(
        tmp_path / "job.yaml", "--plan", str(plan), "--cores", "4", "--env", "AWS_REGION=eu", "--limit-s", "60"
    )
    assert spec["activeDeadlineSeconds"] == 60
    text = (tmp_path / "job.yaml").read_text(encoding="utf-8")
    assert "memory: 2560Mi" in text
    assert "name: AWS_REGION\n" in text


def test_memory_comes_from_somewhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        write(tmp_path / "job.yaml")
    assert str(raised.value) == (
        "nothing says how much memory a worker needs: give --memory, such as 6Gi, or for predict --plan with the "
        "output of bertline plan --json"
    )
    with pytest.raises(UsageError, match=r"^--plan has the memory of a server, not of train: give --memory$"):
        write(tmp_path / "job.yaml", "--plan", "plan.json", command=("train", "rows.csv"))
    assert not (tmp_path / "job.yaml").exists()


def test_a_variable_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--env =3 sets nothing|^--env  sets nothing: write NAME=VALUE"):
        write(tmp_path / "job.yaml", "--memory", "2Gi", "--env", "=3")
