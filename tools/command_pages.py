"""Write the guide's page of commands from the commands themselves, so that the two cannot disagree.

python -m tools.command_pages docs/commands.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from bertline.cli.main import application

HEAD = """# Commands

`bertline` exits with 0 when the work is done, 1 when it failed, 2 for a usage error, and 130
when it was interrupted. An error is one sentence on standard error; `--debug` shows where it came from.
"""


def page() -> str:
    """The page as Markdown: one section for each verb."""
    sections = [_section(name, verb) for name, verb in verbs(typer.main.get_command(application())).items()]
    return "\n".join([HEAD, *sections])


def verbs(command: Any, name: str = "bertline") -> dict[str, Any]:
    """Every leaf command, by its full name."""
    if not hasattr(command, "commands"):
        return {name: command}
    found: dict[str, Any] = {}
    for word, child in command.commands.items():
        found |= verbs(child, f"{name} {word}")
    return found


def examples(verb: Any) -> list[str]:
    """The example lines of a verb's help: ``Example: …``, or ``Examples: … · …``."""
    _, colon, lines = (verb.epilog or "").partition(": ")
    return lines.split(" · ") if colon else []


def _section(name: str, verb: Any) -> str:
    usage = " ".join([name, *verb.collect_usage_pieces(verb.make_context(name, [], resilient_parsing=True))])
    parts = [f"## {name}", (verb.help or "").strip(), f"```\n{usage}\n```"]
    parts.append("\n".join(["```console", *(f"$ {line}" for line in examples(verb)), "```"]))
    rows = [_row(one) for one in verb.params if not getattr(one, "hidden", False)]
    parts.append("\n".join(["| parameter | meaning | default |", "| --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _row(parameter: Any) -> str:
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = parameter.name.upper() + ("…" if parameter.nargs == -1 else "")
    cells = [f"`{names}`", parameter.help or "", _default(parameter)]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _default(parameter: Any) -> str:
    shown = parameter.show_default
    if isinstance(shown, str):
        return f"`{shown}`"
    if parameter.required:
        return "required"
    value = parameter.default
    return "" if value in (None, False, (), []) or callable(value) or shown is False else f"`{value}`"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(), encoding="utf-8")
