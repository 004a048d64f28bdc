"""The floors of pyproject.toml hold, and each contract notices what it is there to notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-logo", "--no-cache", "--config", str(directory / "pyproject.toml")]
    # PYTHONPATH comes before the directory of an editable install, so that a copy is what gets checked.
    environment = {"PYTHONPATH": str(directory / "src"), "PATH": str(LINT.parent), "COLUMNS": "200"}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("file", "code", "broken"),
    [
        ("text/upwards.py", "import bertline.data", "a floor imports only lower ones"),
        ("extra.py", "", "a floor imports only lower ones"),
        ("data/tensors.py", "def lazily():\n    import torch.nn", "torch only in"),
        (
            "inference/server.py",
            "from fastapi import FastAPI",
            "fastapi, starlette and uvicorn only in",
        ),
        ("bundle/colours.py", "import rich.console", "typer, click and rich only in cli"),
        ("data/table_of_arrow.py", "import pyarrow.csv", "pyarrow only in"),
        ("encoder/theirs.py", "import transformers", "transformers only in tests and benchmarks"),
    ],
)
def test_a_contract_notices(copy: Path, file: str, code: str, broken: str) -> None:
    (copy / "src" / "bertline" / file).write_text(f'"""Breaks a contract."""\n{code}\n', encoding="utf-8")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith(broken))
    assert "BROKEN" in line
