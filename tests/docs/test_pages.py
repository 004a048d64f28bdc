"""The pages that people read point at things that exist, and the commands in them can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from bertline.cli.main import application
from tests.docs.markdown import ROOT, commands, links, pages
from tools.command_pages import page as command_page
from tools.command_pages import verbs

VERBS = verbs(typer.main.get_command(application()))
NAVIGATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    made_by_make = {ROOT / "docs" / "commands.md"}
    targets = [(page.parent / link).resolve() for link in links(page)]
    assert not [target for target in targets if not target.exists() and target not in made_by_make]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_has_a_verb_and_flags_that_exist(page: Path) -> None:
    for command in commands(page):
        for words in split(shlex.split(command)):
            if words[0] != "bertline" or words[1].startswith("-"):
                continue
            name = max((one for one in VERBS if words[: len(one.split())] == one.split()), key=len)
            known = {flag for one in VERBS[name].params for flag in (*one.opts, *one.secondary_opts)}
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert used <= known, command


def split(words: list[str]) -> list[list[str]]:
    """The command, and after a ``--`` the one that it will run elsewhere."""
    if words[0] != "bertline" or "--" not in words:
        return [words]
    place = words.index("--")
    return [words[:place], ["bertline", *words[place + 1 :]]]


def test_every_flag_that_the_guide_speaks_of_exists() -> None:
    known = {flag for verb in VERBS.values() for one in verb.params for flag in (*one.opts, *one.secondary_opts)}
    guide = [ROOT / "README.md", *(ROOT / "docs" / "guide").glob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in guide)
    spoken = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert len(spoken) > 20
    assert spoken <= known | {"--debug", "--backend-store-uri"}  # the latter is MLflow's


def test_every_make_target_in_the_pages_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {shlex.split(line)[1] for page in pages() for line in commands(page) if line.startswith("make ")}
    assert {"demo", "test", "check", "docs"} <= named <= targets


def test_every_page_of_the_guide_is_in_the_navigation() -> None:
    guide = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert guide - {"commands.md"} <= set(re.findall(r"[\w/-]+\.md", NAVIGATION))


def test_the_page_of_commands_has_every_verb_and_every_flag() -> None:
    text = command_page()
    for words, verb in VERBS.items():
        assert f"\n## {words}\n" in text
        flags = [one.opts[0] for one in verb.params if one.param_type_name == "option"]
        assert not [flag for flag in flags if f"`{flag}" not in text]
