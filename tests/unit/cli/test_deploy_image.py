"""``bertline deploy image``: what it prints, and references that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bertline import __version__
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


@pytest.mark.parametrize(
    ("arguments", "about", "name"),
    [
        (["--target", "batch"], "training and batch work", "bertline-batch"),
        ([], "a server without a model", "bertline"),
        ([f"s3://models/a@sha256:{'1f' * 32}"], f"a server that fetches s3://models/a@sha256:{'1f' * 32}", "bertline"),
    ],
)
def test_images_without_a_model_have_the_version_of_bertline(
    arguments: list[str], about: str, name: str, tmp_path: Path
) -> None:
    out = tmp_path / "image"
    done = CliRunner().invoke(app, ["deploy", "image", *arguments, "--out", str(out)])
    assert done.output == (
        f"{out} is the build context of {about} (bertline {__version__})\n"
        f"build it: docker build --tag {name}:{__version__} {out}\n"
    )


def test_what_no_image_can_be_made_of(bundle: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (
            [str(bundle), "--target", "batch"],
            f"--target batch has no model inside: leave out {bundle}, and mount it when the container runs",
        ),
        (
            ["--trust", "key.pub"],
            "--trust verifies a bundle that is put inside: where containers fetch theirs, set "
            "BERTLINE_STORE_REQUIRE_SIGNED_BY in their environment",
        ),
        (
            ["s3://models/a"],
            "s3://models/a may be another model tomorrow: pin it, s3://models/a@sha256:…, with the hash that "
            "bertline models push printed",
        ),
    ):
        done = CliRunner().invoke(app, ["deploy", "image", *arguments, "--out", str(tmp_path / "image")])
        assert isinstance(done.exception, UsageError)
        assert str(done.exception) == message
    assert not (tmp_path / "image").exists()
