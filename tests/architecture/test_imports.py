"""What importing costs: bertline itself only the standard library, a floor only what its extra installs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture.requirements import closure, modules_outside

PACKAGE = Path(__file__).parents[2] / "src" / "bertline"

# Imports modules while a finder refuses others; prints the modules that did not come with the interpreter.
PROBE = """
import importlib, json, sys

refused, modules = json.loads(sys.argv[1]), json.loads(sys.argv[2])
before = set(sys.modules)

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r} (refused)", name=name)

sys.meta_path.insert(0, Refuse())
for module in modules:
    importlib.import_module(module)
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(new - sys.stdlib_module_names)))
"""

# The one module of its package that may need more than the package: a back end, an exporter, a format.
OPTIONAL = {
    "bertline.data.arrow_values",
    "bertline.data.parquet",
    "bertline.inference.torch_backend",
    "bertline.inference.onnx_backend",
    "bertline.export.exporter",
    "bertline.export.graph",
    "bertline.export.network",
    "bertline.bundle.signing",
    "bertline.service.limits.in_redis",
}


def probe(modules: list[str], refused: Iterable[str] = ()) -> set[str]:
    command = [sys.executable, "-c", PROBE, json.dumps(sorted(refused)), json.dumps(modules)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def modules_of(package: str) -> list[str]:
    """All modules of a floor, the packages first, without the optional ones."""
    files = sorted((PACKAGE / package).rglob("*.py"))
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return sorted({name.removesuffix(".__init__") for name in names} - OPTIONAL)


def test_importing_bertline_imports_nothing_else() -> None:
    assert probe(["bertline"]) == {"bertline"}


def test_the_library_needs_neither_torch_nor_a_terminal_nor_pandas() -> None:
    assert not probe(["bertline.library"]) & {"torch", "onnxruntime", "rich", "typer", "fastapi", "pandas", "scipy"}


def test_a_refused_module_cannot_be_imported() -> None:
    with pytest.raises(AssertionError, match="refused"):
        probe(["numpy"], {"numpy"})


@pytest.mark.parametrize(
    ("floor", "extras"),
    [
        ("text", ()),
        ("data", ()),
        ("bundle", ()),
        ("inference", ()),
        ("library", ()),
        ("cli", ()),
        ("service", ("serve",)),
    ],
)
def test_a_floor_imports_with_what_its_extra_installs(floor: str, extras: tuple[str, ...]) -> None:
    modules = modules_of(floor)
    assert modules, f"no modules in {floor}"
    refused = modules_outside(closure(*extras))
    assert "torch" in refused
    assert "bertline" in probe(modules, refused)


def imported_by(verb: str) -> list[str]:
    """The modules that the functions of a verb import, whatever was asked."""
    tree = ast.parse((PACKAGE / "cli" / f"{verb}.py").read_text(encoding="utf-8"))
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    found = (one for function in functions for one in ast.walk(function) if isinstance(one, ast.ImportFrom))
    return sorted({str(one.module) for one in found if str(one.module).startswith("bertline.")})


@pytest.mark.parametrize(
    ("verb", "extras"), [("train", ("train",)), ("distill", ("train",)), ("optimize", ("train",)), ("compare", ())]
)
def test_a_verb_needs_what_its_extra_installs_and_no_registry(verb: str, extras: tuple[str, ...]) -> None:
    modules = imported_by(verb)
    refused = modules_outside(closure(*extras))
    assert modules
    assert "mlflow" in refused
    assert "bertline" in probe([f"bertline.cli.{verb}", *modules], refused)
