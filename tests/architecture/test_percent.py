"""A percent sign follows a narrow space that does not break, as ``statistics.figures`` and ``words.js`` write it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [path for part in ("src", "examples") for path in sorted((ROOT / part).rglob("*.py"))]
TEMPLATES = sorted((ROOT / "src").rglob("*.jinja"))
SCRIPTS = sorted((ROOT / "src" / "bertline" / "service" / "page").glob("*.js"))
LITERAL = re.compile(r"\d[ \u00a0]?%(?![0-9A-Za-z])")
IN_TEMPLATE = re.compile(r"(\}\}[ \u00a0]?|\d[ \u00a0]|&nbsp;)%(?!\})")
IN_SCRIPT = re.compile(r"(\}[ \u00a0]?|\d[ \u00a0]|\\u00a0)%")
CSS = ("width:", "left:", "height:", "top:")


def otherwise(source: str) -> Iterator[int]:
    """The lines of a module whose f-strings write a percent in another way."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for place, part in enumerate(node.values):
            if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                if ast.unparse(part.format_spec).rstrip("'\"").endswith("%"):
                    yield part.lineno
            elif isinstance(part, ast.Constant):
                text, before = str(part.value), node.values[place - 2] if place > 1 else None
                is_css = isinstance(before, ast.Constant) and str(before.value).endswith(CSS)
                if LITERAL.search(text) or (place and text.lstrip(" \u00a0").startswith("%") and not is_css):
                    yield part.lineno


def test_code_writes_percents_in_one_way() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in CODE
        for line in sorted({*otherwise(path.read_text(encoding="utf-8"))})
    ]
    assert not found


@pytest.mark.parametrize(("paths", "pattern"), [(TEMPLATES, IN_TEMPLATE), (SCRIPTS, IN_SCRIPT)])
def test_pages_write_percents_in_one_way(paths: list[Path], pattern: re.Pattern[str]) -> None:
    assert len(paths) > 5
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:60]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if not line.lstrip().startswith("//") and pattern.search(line.replace("${NARROW}", "\u202f"))
    ]
    assert not found


@pytest.mark.parametrize("written", ['f"{x:.1%}"', 'f"{x:.1f} %"', 'f"{x}%"', 'f"{x} (95 % sure)"', 'f"{x}\\u00a0%"'])
def test_the_search_finds_what_it_looks_for(written: str) -> None:
    assert {*otherwise(written)} == {1}


@pytest.mark.parametrize(
    "written", ['f"{x}\\u202f%"', 'f"{at:%Y-%m-%d %H:%M}"', "f\"<i style='width:{x:.1f}%'>\"", '"5 %"']
)
def test_the_search_leaves_the_rest(written: str) -> None:
    assert not [*otherwise(written)]
