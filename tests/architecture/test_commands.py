"""Every verb of the command line explains itself: a summary, help for each flag, and a true example."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

from bertline.cli.main import application
from tools.command_pages import examples, verbs

VERBS = verbs(typer.main.get_command(application()))


def test_the_verbs_are_there() -> None:
    assert {"bertline train", "bertline evaluate", "bertline predict", "bertline serve"} <= set(VERBS)


@pytest.mark.parametrize("words", VERBS)
def test_a_verb_has_a_summary_and_every_flag_has_help(words: str) -> None:
    verb = VERBS[words]
    assert verb.help
    silent = [one.name for one in verb.params if not getattr(one, "help", None) and one.name != "help"]
    assert not silent
    assert not [one.name for one in verb.params if "Undefined" in str(getattr(one, "help", ""))]


@pytest.mark.parametrize("words", VERBS)
def test_a_verb_has_an_example_whose_flags_exist(words: str) -> None:
    assert examples(VERBS[words])
    for line in examples(VERBS[words]):
        assert f"{words} " in f"{line} "
        own, _, passed_on = line.partition(" -- ")  # a verb may run another one
        for verb, typed in ((words, own), (f"bertline {passed_on.partition(' ')[0]}", passed_on)):
            if typed:
                known = {flag for one in VERBS[verb].params for flag in (*one.opts, *one.secondary_opts)}
                assert {word.partition("=")[0] for word in shlex.split(typed) if re.match(r"--?[a-z]", word)} <= known
