"""Readable YAML; the only file that imports PyYAML."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]

WIDE = 4096  # lines are not folded, so expressions can be searched for


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Multi-line text as a block, lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def yaml_of(content: Any, *, comment: str) -> str:
    """The content as YAML, keys in their order.

    Args:
        content: of plain types.
        comment: the first line, which describes the file.
    """
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDE)
    return f"# {comment}\n{text}"
