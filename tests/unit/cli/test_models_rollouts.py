from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.cli import models
from bertline.errors import RegistryError, UsageError
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollout import Tally
from bertline.registry.rollouts import Rollouts
from tests.registered import new_registry

app = typer.Typer(pretty_exceptions_enable=False)
models.register(app)
Run = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = new_registry(tmp_path)
    with Database(url) as database:
        Deployments(database, "ana").promote(Reference("reviews", version=1), reason="first")
    return url


@pytest.fixture
def run(url: str) -> Run:
    def invoke(*arguments: str) -> Result:
        command = ["models", *arguments, "--registry", url, "--by", "ana"]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    return invoke


def test_a_canary_begins_and_is_shown_and_ended(run: Run, url: str) -> None:
    begun = run("promote", "reviews:2", "--canary", "--steps", "5,50", "--force", "no gate yet", "--watch-s", "60")
    assert begun.exit_code == 0, begun.output
    assert begun.output == (
        "rollout 1 of reviews:2 begins with 5\u202f%: bertline models rollout reviews shows how it goes\n"
    )
    with Database(url) as database:
        rollouts = Rollouts(database)
        rollout = rollouts.current("reviews")
        assert rollout is not None
        assert dict(rollout.plan) == {"watch_s": 60.0}
        rollouts.count(rollout, "a", Tally(champion_requests=1900, challenger_requests=100, compared=90, disagreed=9))
    shown = run("rollout", "reviews")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0].startswith("rollout 1 of reviews:2, begun by ana: running since ")
    assert lines[0].endswith(" UTC, 5\u202f% of 5, 50, 100")
    assert lines[1] == "reason: no gate yet"
    assert lines[2].startswith("now: hold: ")
    assert "1,900" in shown.output
    assert run("rollout", "reviews", "--pause").exit_code == 0
    assert json.loads(run("rollout", "reviews", "--resume", "--json").output)["status"] == "running"
    ended = json.loads(run("rollout", "reviews", "--abort", "--json").output)
    assert (ended["status"], ended["reason"], ended["counts"]["0"]["disagreed"]) == ("aborted", "aborted by hand", 9)
    assert "aborted" in run("rollout", "reviews").output


def test_a_shadow_needs_no_verdict(run: Run) -> None:
    begun = json.loads(run("shadow", "reviews:2", "--min-requests", "7", "--json").output)
    assert (begun["role"], begun["steps"], begun["plan"]) == ("shadow", ["shadow"], {"min_requests": 7})


def test_an_abort_in_the_watch_goes_back(run: Run, url: str) -> None:
    assert run("promote", "reviews:2", "--force", "by hand").exit_code == 0
    with pytest.raises(UsageError, match="reviews:2 is the champion already and is only watched"):
        run("rollout", "reviews", "--pause")
    assert json.loads(run("rollout", "reviews", "--abort", "--json").output)["status"] == "rolled_back"
    with Database(url) as database:
        assert Deployments(database, "x").current("reviews", "champion") == 1


def test_a_promotion_may_go_unwatched(run: Run) -> None:
    assert run("promote", "reviews:2", "--force", "by hand", "--no-watch").exit_code == 0
    assert "reviews had no rollout yet" in run("rollout", "reviews").output


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("promote", "reviews:2", "--canary"), UsageError, "rolling reviews:2 out needs a gate's verdict"),
        (("promote", "reviews:2", "--canary", "--to", "shadow"), UsageError, "--canary is for the champion, and --to"),
        (("promote", "reviews:2", "--canary", "--force", "x", "--steps", "9,3"), UsageError, "are no steps: give"),
        (("rollout", "reviews", "--abort", "--pause"), UsageError, "--abort, --pause and --resume exclude each other"),
        (("rollout", "reviews", "--abort"), RegistryError, "reviews has no rollout that goes on"),
    ],
)
def test_what_cannot_be_done(run: Run, arguments: tuple[str, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(*arguments)
