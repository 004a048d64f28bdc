"""The page of the library and the stub for editors are what the tool makes of the functions now."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys

import pytest

import bertline
from tests.docs.markdown import ROOT
from tools import reference_page
from tools.reference_page import PAGE, STUB, VERBS


def test_the_stub_is_current() -> None:
    assert STUB.read_text(encoding="utf-8") == reference_page.stub(), "run python -m tools.reference_page"


def test_the_stub_has_exactly_the_public_names() -> None:
    names: set[str] = set()
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names |= {str(one.asname) for one in node.names if one.asname}
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
    assert names == set(bertline.__all__) - {"__version__"}


@pytest.mark.parametrize("name", VERBS)
def test_the_stub_has_the_parameters_of_a_verb(name: str) -> None:
    [found] = [
        node
        for node in ast.parse(STUB.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    written = [one.arg for one in (*found.args.args, *found.args.kwonlyargs)]
    assert written == list(inspect.signature(getattr(bertline, name)).parameters)


@pytest.mark.slow
def test_the_page_is_current_and_every_example_on_it_runs() -> None:
    """In a process of its own, as the page's reader would."""
    command = [sys.executable, "-m", "tools.reference_page", "--check"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_page_describes_every_function_and_every_result() -> None:
    described = set(re.findall(r"<!-- reference: ([\w.]+) -->", PAGE.read_text(encoding="utf-8")))
    assert {*VERBS, "load", "Model", "Model.predict", "Model.tag", "Model.embed", "Answers", "Report"} <= described


def test_a_wrong_description_is_regenerated_and_the_prose_preserved() -> None:
    written = "Before.\n\n<!-- reference: Model.predict -->\nwrong\n<!-- /reference -->\n\nAfter.\n"
    made = reference_page.page(written)
    assert made.startswith(
        "Before.\n\n<!-- reference: Model.predict -->\n\n```py\n"
        "Model.predict(texts: Iterable[str | tuple[str, str]]) -> Answers"
    )
    assert made.endswith("<!-- /reference -->\n\nAfter.\n")
    assert "wrong" not in made
