from __future__ import annotations

from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from bertline.cli import deploy_chart
from bertline.errors import UsageError
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.deploy.charts import DIGEST, MEASURED

app = typer.Typer()
app.callback()(lambda: None)
deploy_chart.register(app)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "tiny"
    write_tiny_bundle(directory)
    return directory


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(MEASURED.model_dump_json(), encoding="utf-8")
    return path


def test_the_command_writes_every_file_and_names_it(bundle: Path, plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "chart"
    given = ["chart", str(bundle), "--out", str(out), "--plan", str(plan), "--image", f"hub.example/tiny@{DIGEST}"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {line.removeprefix(f"{out}/") for line in done.output.split()} == written
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "templates/_pod.tpl", "files/rules.yaml"} <= written
    image = yaml.safe_load((out / "values.yaml").read_text(encoding="utf-8"))["image"]
    assert (image["repository"], image["digest"]) == ("hub.example/tiny", DIGEST)


def test_a_wrong_image_is_refused_before_anything_is_measured(bundle: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["chart", str(bundle), "--out", str(tmp_path / "chart"), "--image", "a b"])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "a b is not an image: write registry/name:tag or registry/name@sha256:…"
    assert not (tmp_path / "chart").exists()
