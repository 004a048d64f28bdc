"""``bertline deploy image``: what it prints, and references that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bertline.bundle import load
from bertline.cli import deploy
from bertline.errors import UsageError

app = typer.Typer()
app.callback()(lambda: None)
deploy.register(app)


def test_it_names_the_context_and_the_next_command(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "image"
    done = CliRunner().invoke(app, ["deploy", "image", str(bundle), "--out", str(out)])
    assert done.exit_code == 0, done.output
    model = load(bundle)
    name, version = model.manifest.name, model.version
    assert done.output == (
        f"{out} is the build context of {name} (version {version})\n"
        f"build it: docker build --tag {name}:{version} {out}\n"
    )


@pytest.mark.parametrize("option", ["--tag", "--base", "--builder"])
def test_a_reference_that_would_be_an_option_is_refused(option: str, bundle: Path, tmp_path: Path) -> None:
    arguments = ["deploy", "image", str(bundle), "--out", str(tmp_path / "image"), f"{option}=--privileged"]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == f"{option} --privileged is not the name of an image: write registry/name:tag"
    assert not (tmp_path / "image").exists()
