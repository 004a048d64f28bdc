"""What one runs is in benchmarks/ itself and says how; what it is made of is in folders."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
OURS = ("benchmarks", "bertline", "examples")
RUN = sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py")


def imported(path: Path) -> set[tuple[str, str]]:
    """Modules of ours that a file imports or starts, each with the name that it takes from it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in (
            "benchmarks",
            "bertline",
            "examples",
        ):
            found |= {(str(node.module), one.name) for one in node.names}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"benchmarks(\.\w+)+(:\w+)?", str(node.value)):
            found.add((str(node.value).partition(":")[0], "__name__"))
    return found


def exists(module: str, name: str) -> bool:
    if name == "__name__":  # started in an environment of its own
        return (ROOT / Path(*module.split("."))).with_suffix(".py").exists()
    return hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}") is not None


@pytest.mark.parametrize("path", RUN, ids=lambda one: one.stem)
def test_a_file_at_the_top_is_a_benchmark_that_says_how_it_is_run(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert '\nif __name__ == "__main__":\n' in text
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert f"make bench ONLY={path.stem}" in docstring or f"python -m benchmarks.{path.stem}" in docstring


def test_make_bench_runs_each_of_them() -> None:
    shown = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [listed] = re.findall(r"for name in (.*?);", shown)
    assert sorted(listed.split()) == [path.stem for path in RUN]
    assert len(RUN) >= 8


def test_benchmarks_import_only_existing_names() -> None:
    """The libraries of its peers are not installed here, so it is read and not run."""
    wanted = {pair for path in FOLDER.rglob("*.py") for pair in imported(path)}
    assert not [pair for pair in sorted(wanted) if not exists(*pair)]
    assert {module.split(".")[0] for module, _ in wanted} == {"benchmarks", "bertline", "examples"}
    assert not exists("bertline.data", "nothing")
    assert not exists("benchmarks.parts.nothing", "__name__")
