"""Reads the commands and links out of Markdown pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Every page that people read, without those that are generated."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if path.name != "commands.md")


def commands(page: Path) -> list[str]:
    """The lines after ``$`` of all console blocks, without comments; a backslash continues a line."""
    text = "\n".join(block[1] for block in CONSOLE.finditer(page.read_text(encoding="utf-8")))
    lines = text.replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+# .*", "", line[2:]).strip() for line in lines if line.startswith("$ ")]


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in a language, as ``bash``."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Targets of the links that stay inside the repository, without their anchors."""
    targets = (match[1].partition("#")[0] for match in LINK.finditer(page.read_text(encoding="utf-8")))
    return [target for target in targets if target and "://" not in target and not target.startswith("mailto:")]
