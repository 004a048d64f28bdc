"""``bertline models promote``, ``rollback`` and ``history``, as one types them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.cli import models
from bertline.errors import BundleError, UsageError
from tests.registered import digest_of, new_registry

app = typer.Typer(pretty_exceptions_enable=False)
models.register(app)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BERTLINE_REGISTRY", new_registry(tmp_path))
    return tmp_path / "models.db"


def test_promoted_by_a_verdict_rolled_back_and_all_of_it_in_the_history(tmp_path: Path) -> None:
    run("promote", "reviews:1", "--force", "first model", "--by", "ana")
    judged = Verdict(
        challenger=digest_of("reviews", 2), champion=digest_of("reviews", 1), decision="yes",
        created="2026-11-29T10:00:00Z",
    )  # fmt: skip
    (tmp_path / "verdict.json").write_bytes(SignedVerdict(verdict=judged).to_file())
    said = run("promote", "reviews:2", "--verdict", tmp_path / "verdict.json", "--by", "bo").output
    assert said.startswith("the champion of reviews is reviews:2 (was reviews:1); entry 2 of the log, hash ")
    assert (
        run("promote", "reviews:2", "--force", "x").output == "reviews:2 is the champion already; nothing was changed\n"
    )
    back = json.loads(run("rollback", "reviews", "--reason", "slow", "--json").output)
    assert (back["action"], back["from_version"], back["to_version"]) == ("rollback", 2, 1)
    newest, second, first = json.loads(run("history", "reviews", "--json").output)
    assert newest == back
    assert (second["verdict"], second["by"], second["reason"]) == (judged.hash, "bo", None)
    assert (first["verdict"], first["by"], first["reason"]) == (None, "ana", "first model")
    head, line, *_ = run("history").output.splitlines()
    assert head.split() == [
        "entry",
        "time",
        "(UTC)",
        "by",
        "model",
        "action",
        "alias",
        "from",
        "to",
        "verdict",
        "hash",
        "reason",
    ]
    assert line.split()[0] == "3"
    assert line.split()[-1] == "slow"


@pytest.mark.parametrize("canary", [(), ("--canary",)])
def test_a_note_is_no_reason_to_do_without_a_verdict(canary: tuple[str, ...]) -> None:
    run("promote", "reviews:1", "--force", "first model")
    with pytest.raises(UsageError, match="give --verdict FILE, or --force REASON, which is recorded"):
        run("promote", "reviews:2", "--reason", "it is better", *canary)
    assert len(json.loads(run("history", "--json").output)) == 1
    run("promote", "reviews:2", "--force", "no rows yet", "--reason", "for Monday")
    run("promote", "reviews:3", "--to", "challenger", "--reason", "to try")
    newest, second, _ = json.loads(run("history", "--json").output)
    assert (second["reason"], newest["reason"]) == ("no rows yet; for Monday", "to try")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--steps", "5,50"), "--steps are those of a canary: give --canary too, or leave them out to promote at once"),
        (("--canary", "--no-watch"), "--no-watch is for a promotion at once: give --watch-s 0 with --canary"),
    ],
)
def test_flags_that_would_be_passed_over_are_refused(flags: tuple[str, ...], sentence: str) -> None:
    run("promote", "reviews:1", "--force", "first model")
    with pytest.raises(UsageError) as raised:
        run("promote", "reviews:2", "--force", "x", *flags)
    assert str(raised.value) == sentence


def test_a_changed_past_is_found_with_exit_code_1_and_the_entrys_number(registry: Path) -> None:
    for version in (1, 2, 3):
        run("promote", f"reviews:{version}", "--force", "by hand")
    whole = run("history", "--verify")
    assert whole.exit_code == 0
    assert whole.output.startswith("all 3 entries are as they were written; the newest has the hash ")
    with sqlite3.connect(registry) as connection:
        connection.execute("DROP TRIGGER bertline_deployments_no_update")
        connection.execute("UPDATE bertline_deployments SET reason = 'approved' WHERE number = 2")
    connection.close()
    changed = run("history", "--verify")
    assert changed.exit_code == 1
    assert changed.stderr == "error: entry 2 of the log of deployments was changed after it was written\n"
    assert json.loads(run("history", "--verify", "--json").output)["faults"]


def test_a_log_whose_end_was_cut_off_is_found_by_a_noted_hash(registry: Path) -> None:
    run("promote", "reviews:1", "--force", "by hand")
    noted = json.loads(run("promote", "reviews:2", "--force", "by hand", "--json").output)["hash"]
    assert run("history", "--verify", "--head", noted).exit_code == 0
    with sqlite3.connect(registry) as connection:
        connection.execute("DROP TRIGGER bertline_deployments_no_delete")
        connection.execute("DELETE FROM bertline_deployments WHERE number = 2")
        connection.execute("UPDATE registered_model_aliases SET version = 1")
    connection.close()
    assert run("history", "--verify").exit_code == 0
    assert f"none has the noted hash {noted[:12]}" in run("history", "--verify", "--head", noted).stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promote", "reviews:1"), "needs a gate's verdict: give --verdict FILE, or --force REASON"),
        (("promote", "reviews:1", "--force", " "), "--force has no reason: say why there is no verdict"),
        (("promote", "reviews:1", "--force", "x", "--verdict", "v.json"), "--verdict and --force exclude each other"),
        (("promote", "reviews:1", "--verdict", "none.json"), "the verdict none.json cannot be read"),
        (("history", "--head", "1234"), "--head is for --verify: give both"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises((UsageError, BundleError), match=sentence):
        run(*arguments)


def test_an_empty_history_says_so() -> None:
    assert "nothing was deployed yet" in run("history").stderr
    assert run("history", "--verify").output == "the log has no entries yet\n"
