"""The command as one types it, and what it writes in the gate."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bertline.cli.main import main
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.kept import keep, store_in, sure

TEXTS = ["It isn't far from London, and I want more!", "The colours are wonderful.", *random_texts(30, seed=5)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=120)
    return target


def bertline(folder: Path, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        patch.setattr(sys, "argv", ["bertline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def scan(bundle: Path, folder: Path, *arguments: str) -> int:
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return bertline(folder, "scan", str(bundle), *arguments)


def test_what_broke_is_shown_and_written_for_the_gate(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(bundle, tmp_path, "texts.txt", "--cases", "broken.jsonl") == 0
    shown = capsys.readouterr()
    assert shown.err == "cases: broken.jsonl\n"
    assert shown.out.startswith("32 texts, ")
    assert "clause added  " in shown.out
    assert "There is nothing in these texts to change for: " in shown.out
    cases = [json.loads(line) for line in (tmp_path / "broken.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(cases) > 10
    labels = ("negative", "positive")
    rows = [{"text": text, "label": labels[place % 2]} for place, text in enumerate(random_texts(60, seed=9))]
    (tmp_path / "frozen.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    asked = ("--data", "frozen.jsonl", "--minimum", "accuracy=0", "--behaviour", "broken.jsonl", "--json")
    bertline(tmp_path, "gate", str(bundle), *asked)
    checks = json.loads(capsys.readouterr().out.splitlines()[0])["details"]["checks"]
    (behaviour,) = [one for one in checks if one["name"].startswith("behaviour")]
    assert behaviour["sentence"].startswith(f"0 of {len(cases)} cases pass; failed: ")


def test_typed_texts_and_all_cases_as_json(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(bundle, tmp_path, "--text", TEXTS[1], "--probes", "opinion", "--probes", "spelling", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["probes"]] == ["spelling", "negation", "praise added", "blame added"]
    assert [one["texts"] for one in found["probes"]] == [1, 1, 1, 1]
    flags = ("--text", TEXTS[1], "--cases", "all.jsonl", "--all-cases", "--json")
    assert scan(bundle, tmp_path, *flags) == 0
    every = json.loads(capsys.readouterr().out)
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == every["cases"] + every["passed"]


def test_too_many_that_break_are_an_exit_code(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(bundle, tmp_path, "texts.txt", "--check", "0.99") == 0
    assert scan(bundle, tmp_path, "texts.txt", "--check", "0") == 1
    said = capsys.readouterr().err
    assert "surely more than 0.0\N{NARROW NO-BREAK SPACE}%: read what broke, or raise --check" in said


def test_texts_that_were_kept(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")] * len(TEXTS), texts=TEXTS)
    flags = ("--predictions-url", f"sqlite:///{tmp_path / 'predictions.db'}", "--probes", "typos", "--json")
    assert scan(bundle, tmp_path, *flags) == 0
    assert json.loads(capsys.readouterr().out)["texts"] == len(TEXTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("texts.txt", "--text", "a"), "give DATA, or --text, or --predictions-url with --model and --since: one of"),
        (("texts.txt", "--all-cases"), "--all-cases writes to the file that --cases names: give --cases"),
        (("texts.txt", "--probes", "typo"), "there is no probe 'typo': choose groups (typos, writing, "),
        (("--text", " "), "there is no text that the model reads"),
        ((), "no store of predictions is named: give --predictions-url"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert scan(bundle, tmp_path, *arguments) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_a_table_without_texts(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.csv").write_text("text\n")
    assert scan(bundle, tmp_path, "empty.csv") == 1
    assert "empty.csv" in capsys.readouterr().err
