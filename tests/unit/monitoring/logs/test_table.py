"""The table of log fields: ECS's names have ECS's types, ours have our own place, and no code logs anything else."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from bertline.monitoring.logs.table import ECS_VERSION, FIELDS, LOGGED, OWN, TABLE, WHEN, markdown

ROOT = Path(__file__).parents[4]
FACTS = json.loads(Path(__file__).with_name("ecs_fields.json").read_text(encoding="utf-8"))
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
OF_LOGGING = {"exc_info", "stack_info", "stacklevel", "extra"}


def test_every_field_is_of_ecs_with_its_type_or_below_our_own_name() -> None:
    ours = {one.name for one in TABLE if one.name.startswith(OWN)}
    assert len(ours) > 15
    theirs = {one.name: {"type": one.type, "array": one.several} for one in TABLE if one.name not in ours}
    assert theirs == FACTS["fields"]


def test_the_version_that_lines_name_is_the_one_of_the_facts() -> None:
    assert FACTS["version"].removesuffix("-dev") == ECS_VERSION


def test_a_name_occurs_once_and_is_no_objects_prefix() -> None:
    assert len(FIELDS) == len(TABLE)
    assert not [one for one in FIELDS for other in FIELDS if other.startswith(f"{one}.")]


def test_every_row_is_described() -> None:
    assert {one.when for one in TABLE} == set(WHEN)
    assert all(one.description.endswith(".") for one in TABLE)


def test_the_guide_has_the_table() -> None:
    page = ROOT / "docs" / "guide" / "observe" / "logs.md"
    assert markdown() in page.read_text(encoding="utf-8")


def logged_names(source: str) -> set[str]:
    """The names of the fields that code hands to a logger: keywords, and keys of ``extra`` and of ``**{…}``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        if not (isinstance(node.func.value, ast.Name | ast.Attribute) and "log" in ast.unparse(node.func.value)):
            continue
        for keyword in node.keywords:
            if keyword.arg not in {*OF_LOGGING, None}:
                found.add(str(keyword.arg))
            elif keyword.arg in {"extra", None}:
                assert isinstance(keyword.value, ast.Dict), f"line {node.lineno}: write the fields out, for this test"
                found |= {ast.literal_eval(key) for key in keyword.value.keys if key is not None}
    return found


def test_no_code_logs_a_field_that_the_table_lacks() -> None:
    files = sorted((ROOT / "src").rglob("*.py"))
    assert len(files) > 100
    unknown = {str(path): names for path in files if (names := logged_names(path.read_text("utf-8")) - LOGGED)}
    assert not unknown


def test_the_search_for_fields_finds_them() -> None:
    source = """
log.info("a", colour=1, exc_info=True)
self._log.warning("b", extra={"bertline.shade": 2})
logger.error("c", **{"bertline.tint": 3})
math.log(2, base=3)
"""
    assert logged_names(source) == {"colour", "bertline.shade", "bertline.tint"}
