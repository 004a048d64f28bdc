"""The serving install is small: no torch, nor what only training needs, anywhere in what it brings along."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.architecture.requirements import closure, declared

# Each belongs to a package that is declared (fastapi, jinja2, pydantic, OpenTelemetry) and that chooses its version.
FOUNDATIONS = {"starlette", "markupsafe", "pydantic-core", "requests"}
# sqlalchemy imports psycopg when a database's URL asks for it, uvicorn uvloop, mlflow the others.
BY_OTHERS = {"alembic", "psycopg", "sqlparse", "uvloop"}
SOURCE = Path(__file__).parents[2] / "src"

HEAVY = {"torch", "transformers", "scikit-learn", "scipy", "pandas", "pyarrow", "accelerate"}


@pytest.mark.parametrize("extras", [(), ("serve",)])
def test_neither_the_base_nor_the_serving_install_brings_torch(extras: tuple[str, ...]) -> None:
    assert not closure(*extras) & HEAVY


def test_the_metadata_walk_finds_every_array() -> None:
    assert {"numpy", "pydantic-core", "tokenizers"} <= closure()
    assert {"fastapi", "starlette", "uvicorn", "uvloop"} <= closure("serve")
    assert {"torch", "scipy", "scikit-learn"} <= closure("train")
    assert "pyarrow" in closure("parquet")


def test_the_base_install_has_no_web_server() -> None:
    assert not closure() & {"fastapi", "starlette", "uvicorn"}


def test_no_extra_brings_transformers() -> None:
    assert "transformers" not in closure("train", "serve", "parquet")


def imported(path: Path) -> set[str]:
    """Top-level modules that a file imports, wherever in it, or takes files from (``resources.files``)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "resources.files":
            found |= {ast.literal_eval(one).partition(".")[0] for one in node.args}
    return found


def test_imports_and_declared_dependencies_match() -> None:
    modules = set().union(*(imported(path) for path in SOURCE.rglob("*.py"))) - sys.stdlib_module_names
    owners = packages_distributions()
    # A module of several packages (opentelemetry) is any of theirs.
    used = [{canonicalize_name(one) for one in owners.get(module, [module])} for module in modules - {"bertline"}]
    assert [one for one in used if not one & (declared() | FOUNDATIONS)] == []
    assert declared() - BY_OTHERS <= set().union(*used)
