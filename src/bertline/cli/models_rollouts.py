"""``bertline models shadow`` and ``rollout``, and the canary of ``models promote``: versions that servers try out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.models_registry import AsJson, RegistryUrl
from bertline.cli.plain_table import print_table
from bertline.cli.settings_flags import with_settings
from bertline.errors import UsageError
from bertline.lifecycle.rollout.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertline.bundle.verdict import SignedVerdict
    from bertline.registry.rollout import Rollout, Tally
    from bertline.registry.rollouts import Rollouts

By = Annotated[str | None, typer.Option("--by", help="Who does it; default: USER@HOST.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``models``."""
    app.command(
        epilog="Examples: bertline models shadow reviews:3 · bertline models shadow reviews:3 --min-requests 1000"
    )(with_settings(Plan, "rollout")(shadow))
    app.command(epilog="Examples: bertline models rollout reviews · bertline models rollout reviews --abort")(rollout)


def shadow(
    model: Annotated[str, typer.Argument(metavar="NAME:VERSION", help="Version; NAME@ALIAS is one too.")],
    settings: Plan,
    by: By = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let a version compute what the champion answers, to compare both; it never answers.

    The servers that follow the champion do it, behind every real request. It ends by itself: passed, or rolled back.
    """
    from bertline.registry.rollout import SHADOW

    begin(model, (SHADOW,), settings, by=by, registry=registry, as_json=as_json)


def rollout(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")],
    abort: Annotated[bool, typer.Option("--abort", help="End it: the old champion answers everything.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Stay in this step; a bad version still goes back.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after --pause.")] = False,
    by: By = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the last rollout of a model with its figures, or end, pause or resume it."""
    from bertline.registry.database import Database
    from bertline.registry.person import whoever
    from bertline.registry.reference import check_name
    from bertline.registry.rollouts import Rollouts
    from bertline.registry.settings import registry_settings

    if abort + pause + resume > 1:
        raise UsageError("--abort, --pause and --resume exclude each other: give one of them")
    with Database(registry_settings(registry).place) as database:
        rollouts, model = Rollouts(database, by or whoever()), check_name(name)
        if abort:
            last: Rollout | None = rollouts.abort(model)
        else:
            last = _hold(rollouts, model, paused=pause) if pause or resume else rollouts.last(model)
        sums = rollouts.totals(last) if last is not None else {}
    if as_json:
        typer.echo(json.dumps(_as_json(last, sums) if last is not None else None, ensure_ascii=False))
    elif last is None:
        typer.echo(f"{model} had no rollout yet: bertline models promote {model}:VERSION --canary", err=True)
    else:
        _print(last, sums)


def begin(
    model: str,
    steps: Sequence[str],
    plan: Plan,
    *,
    by: str | None,
    registry: str | None,
    as_json: bool,
    verdict: SignedVerdict | None = None,
    reason: str | None = None,
) -> None:
    """Begin a rollout, and say so."""
    from bertline.registry.database import Database
    from bertline.registry.person import whoever
    from bertline.registry.reference import parse_reference
    from bertline.registry.rollouts import Rollouts
    from bertline.registry.settings import registry_settings

    chosen = plan.model_dump(exclude_unset=True)
    with Database(registry_settings(registry).place) as database:
        begun = Rollouts(database, by or whoever()).begin(
            parse_reference(model), steps, chosen, verdict=verdict, reason=reason
        )
    if as_json:
        typer.echo(json.dumps(_as_json(begun, {}), ensure_ascii=False))
    else:
        typer.echo(
            f"rollout {begun.number} of {begun.name} begins with {begun.step}: bertline models rollout {begun.model} "
            "shows how it goes"
        )


def _hold(rollouts: Rollouts, model: str, *, paused: bool) -> Rollout:
    """Pause, or go on."""

    def change(going: Rollout) -> bool:
        if going.role == "watch":
            raise UsageError(f"{going.name} is the champion already and is only watched: there is nothing to pause")
        return rollouts.pause(going, paused=paused)

    return rollouts.change(model, change)


def _as_json(last: Rollout, sums: Mapping[int, Tally]) -> dict[str, object]:
    counts = {str(place): asdict(tally) for place, tally in sorted(sums.items())}
    return {**asdict(last), "plan": dict(last.plan), "role": last.role, "step": last.step, "counts": counts}


def _print(last: Rollout, sums: Mapping[int, Tally]) -> None:
    from bertline.lifecycle.rollout.decision import decide

    since = datetime.fromtimestamp(last.since_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    typer.echo(
        f"rollout {last.number} of {last.name}, begun by {last.by}: {last.status} since {since} UTC, {last.step} "
        f"of {', '.join(last.steps)}"
    )
    typer.echo(f"reason: {last.reason}")
    if last.open:
        plan = Plan.model_validate(dict(last.plan))
        decision = decide(last, plan, sums, time.time())
        typer.echo(f"now: {decision.action.replace('_', ' ')}: {decision.reason}")
    if sums:
        print_table(_rows(last, sums))


def _rows(last: Rollout, sums: Mapping[int, Tally]) -> list[list[str]]:
    rows = [["step", "version", "requests", "failed", "slow", "compared", "different", "dropped", "mean shift"]]
    for place, one in sorted(sums.items()):
        step = last.steps[place] if place < len(last.steps) else "100"
        shift = f"{one.shift / one.compared:.3f}" if one.compared else "-"
        each = [one.champion_requests, one.champion_errors, one.champion_slow]
        rows.append([step, "champion", *(f"{number:,}" for number in each), "", "", "", ""])
        each = [one.challenger_requests, one.challenger_errors, one.challenger_slow]
        each += [one.compared, one.disagreed, one.dropped]
        rows.append(["", "challenger", *(f"{number:,}" for number in each), shift])
    return rows
