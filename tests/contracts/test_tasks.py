"""Every task's folder, found as the package finds it, keeps the contract of ``bertline.tasks``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bertline import tasks
from bertline.bundle import Manifest
from bertline.bundle.manifest import parse
from bertline.encoder.outputs import OUTPUTS
from bertline.tasks.contract import TaskSpec

FOLDERS = sorted(one.parent.name for one in Path(tasks.__file__).parent.glob("*/__init__.py"))
# The least that a spec needs.
ENTRIES: dict[str, dict[str, object]] = {
    "classify": {"labels": ["bad", "good"]},
    "tag": {"types": ["place"]},
}


def spec_of(name: str) -> TaskSpec:
    return tasks.read_spec({"task": name} | ENTRIES[name])


def test_discovery_finds_every_folder() -> None:
    assert list(tasks.names()) == FOLDERS
    assert "classify" in FOLDERS


def test_an_unknown_task_is_named_with_the_valid_names() -> None:
    with pytest.raises(ValueError, match=r"the task 'sing' is unknown; valid names: .*classify"):
        tasks.task("sing")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_spec_names_an_output_of_the_table(name: str) -> None:
    spec = spec_of(name)
    assert spec.task == name
    assert spec.output in OUTPUTS
    assert len(set(spec.labels)) == len(spec.labels) > 0


@pytest.mark.parametrize("name", FOLDERS)
def test_a_spec_goes_through_a_manifest_unchanged(name: str) -> None:
    spec = spec_of(name)
    manifest = Manifest(name="one", task=spec, max_tokens=16, truncation="head", pooling="cls")
    sealed, raw = manifest.sealed({})
    assert parse(raw, "one") == sealed
    assert parse(raw, "one").task == spec


@pytest.mark.parametrize("name", FOLDERS)
def test_a_spec_refuses_an_entry_that_it_does_not_know(name: str) -> None:
    with pytest.raises(ValueError, match="songs"):
        tasks.read_spec({"task": name, "songs": 1} | ENTRIES[name])


@pytest.mark.parametrize("name", FOLDERS)
def test_what_serves_a_task_imports_no_torch(name: str) -> None:
    code = f"import sys; from bertline.tasks import task; one = task({name!r}); one.spec.Spec, one.answer.answers; "
    result = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_task_says_what_it_minimises(name: str) -> None:
    assert callable(tasks.task(name).learn.loss)
    assert callable(tasks.task(name).learn.better)
