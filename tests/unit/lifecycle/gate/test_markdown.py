from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bertline.lifecycle.gate.check import Check, Decision
from bertline.lifecycle.gate.markdown import MARK, markdown
from bertline.lifecycle.gate.run import Gated
from bertline.lifecycle.gate.settings import GateSettings

CHECKS = (
    Check("frozen rows · frozen.csv", "yes", "accuracy +0.4 points against the champion (−0.6 to +1.4)"),
    Check("slices · frozen.csv", "no", "worst of 4: label a|b, −8 points on 103 rows"),
)


def gated(*checks: Check, champion: str | None = "films (0123456789ab)", name: str = "films (ba9876543210)") -> Gated:
    def model(title: str) -> Any:
        return SimpleNamespace(title=title)

    rows = {"frozen.csv": {"rows": 2200, "sha256": "0" * 64}}
    return Gated(checks, model(name), None if champion is None else model(champion), GateSettings(), rows)


def test_every_check_is_a_row() -> None:
    assert markdown(gated(*CHECKS)).splitlines() == [
        MARK,
        "### films (ba9876543210) may not be promoted in place of films (0123456789ab)",
        "",
        "frozen.csv: 2,200 rows",
        "",
        "| check | says | |",
        "| --- | --- | --- |",
        "| frozen rows · frozen.csv | yes | accuracy +0.4 points against the champion (−0.6 to +1.4) |",
        "| slices · frozen.csv | **no** | worst of 4&#58; label a&#124;b, −8 points on 103 rows |",
    ]


@pytest.mark.parametrize(
    ("decision", "words"),
    [("yes", "may be promoted"), ("undecided", "cannot be judged yet")],
)
def test_the_headline_says_what_was_decided(decision: str, words: str) -> None:
    text = markdown(gated(Check("size", cast("Decision", decision), ""), champion=None))
    assert f"### films (ba9876543210) {words}\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "@team",
        "[x](https://a.example)",
        "<img src=x>",
        "![a](b)",
        "https://a.example",
        "a\n\n# b",
        "`x`",
        "<!-- -->",
        "$x|",
    ],
)
def test_names_from_a_pull_request_are_no_markup(text: str) -> None:
    shown = markdown(gated(Check(text, "yes", text), name=text))
    body = shown.removeprefix(MARK)
    assert len(shown.splitlines()) == 8
    assert not {"@", "[", "<", "`", "!"} & set(body)
    assert "https://" not in body
    assert body.count("|") == 4 * 2 + 4
