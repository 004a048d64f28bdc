"""The floors of pyproject.toml hold, each contract notices what breaks it, and the guide has the same floors."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")
PAGE = ROOT / "docs" / "why" / "floors.md"
SOURCE = ROOT / "src" / "bertline"
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}

# For each kind of contract, files that break it and no other.
BREAKS: Mapping[str, Mapping[str, str]] = {
    "a floor imports only lower ones": {"monitoring/upwards.py": "import bertline.statistics"},
    "torch only in": {"data/tensors.py": "def lazily():\n    import torch.nn"},
    "fastapi, starlette and uvicorn only in": {"inference/server.py": "from fastapi import FastAPI"},
    "typer, click and rich only in": {"bundle/colours.py": "import rich.console"},
    "pyarrow only in": {"data/table_of_arrow.py": "import pyarrow.csv"},
    "onnx only in": {"bundle/graph_reader.py": "import onnx"},
    "prometheus-client only in": {"service/counters.py": "import prometheus_client"},
    "what the guard, the limits, registries and the log are made of": {
        "service/limits/in_memory_too.py": "import redis"
    },
    "obstore only in": {"registry/buckets.py": "import obstore.store"},
    "ray only in": {"training/elsewhere.py": "import ray.train"},
    "transformers only in": {"encoder/theirs.py": "import transformers"},
    "no two parts of a package need each other": {
        "text/chicken.py": "import bertline.text.egg",
        "text/egg.py": "import bertline.text.chicken",
    },
}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-logo", "--no-cache", "--config", str(directory / "pyproject.toml")]
    # PYTHONPATH comes before the directory of an editable install, so that a copy is what gets checked.
    environment = {"PYTHONPATH": str(directory / "src"), "PATH": str(LINT.parent), "COLUMNS": "200"}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def broken(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Names of the contracts that the output calls broken."""
    return [name for name in CONTRACTS if re.search(rf"^{re.escape(name)} BROKEN", result.stdout, re.MULTILINE)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_contract_catches_a_violation(copy: Path, name: str) -> None:
    files = next(files for start, files in BREAKS.items() if name.startswith(start))
    for file, code in files.items():
        (copy / "src" / "bertline" / file).write_text(f'"""Breaks a contract."""\n{code}\n', encoding="utf-8")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert broken(result) == [name], result.stdout


def test_a_package_without_a_floor_is_noticed(copy: Path) -> None:
    (copy / "src" / "bertline" / "extra.py").write_text("", encoding="utf-8")
    result = lint(copy)
    assert broken(result) == ["a floor imports only lower ones"], result.stdout
    assert "bertline.extra" in result.stdout


def floors() -> list[list[str]]:
    """The packages of each floor in the contract, the lowest floor first."""
    layers = CONTRACTS["a floor imports only lower ones"]["layers"]
    return [re.findall(r"\w+", layer) for layer in reversed(layers)]


def test_the_guide_has_the_floors_of_the_contract() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    written = {int(number): re.findall(r"`(\w+)`", packages) for number, packages in rows}
    assert written == dict(enumerate(floors()))


def test_parts_that_the_guide_calls_missing_are_missing() -> None:
    absent = re.findall(r"`(\w+)` is not built yet", PAGE.read_text(encoding="utf-8"))
    assert set(absent) <= {name for floor in floors() for name in floor}
    assert not [name for name in absent if (ROOT / "src" / "bertline" / name).exists()]


def test_the_guide_lists_exactly_the_packages() -> None:
    absent = set(re.findall(r"`(\w+)` is not built yet", PAGE.read_text(encoding="utf-8")))
    there = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or is_room(path)} - {"__init__"}
    assert there == {name for floor in floors() for name in floor} - absent


def test_every_folder_of_a_package_has_its_reason_in_the_guide() -> None:
    reasons = dict(re.findall(r"^\| `(\w+/[\w/]+)` \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    folders = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if is_room(path)}
    assert set(reasons) == {folder for folder in folders if "/" in folder}
    assert len(set(reasons.values())) == len(reasons)


def is_room(path: Path) -> bool:
    return path.is_dir() and path.name != "__pycache__"


def test_contributing_has_the_floors_of_the_contract() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    chain = re.search(r"^cli > [^`]*", text, re.MULTILINE)
    assert chain is not None
    assert [re.findall(r"\w+", floor) for floor in reversed(chain[0].split("> "))] == floors()
