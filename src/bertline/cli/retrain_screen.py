"""What ``bertline retrain`` shows: the result of a look, what a dry run would do, and the runs so far."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from bertline.cli.plain_table import print_table

if TYPE_CHECKING:
    from bertline.lifecycle.retraining.journal import Journal
    from bertline.lifecycle.retraining.retrainer import Result, Retrainer
    from bertline.lifecycle.retraining.triggers import Decision


def result_lines(result: Result) -> Iterator[str]:
    """A result in lines for people."""
    if result.journal is not None:
        yield f"run {result.journal.id}: {result.journal.sentence}"
    elif result.decision is not None:
        yield f"nothing is due: {'; '.join((*result.decision.because, *result.decision.against))}"


def result_json(result: Result) -> dict[str, Any]:
    """A result as plain JSON values."""
    decision = None if result.decision is None else _decision(result.decision)
    return {"decision": decision, "run": None if result.journal is None else result.journal.to_json()}


def show_dry_run(retrainer: Retrainer, *, by_hand: bool, restart: bool, as_json: bool) -> None:
    """What would be done now."""
    from bertline.lifecycle.retraining.run import next_step

    unfinished = None if restart else retrainer.unfinished()
    if unfinished is not None:
        step = next_step(unfinished) or "its end"
        if as_json:
            typer.echo(json.dumps({"resumes": unfinished.id, "step": step}))
        else:
            typer.echo(f"would go on with run {unfinished.id}, at {step}; --restart would give it up")
        return
    decision = retrainer.look(by_hand=by_hand)
    if as_json:
        typer.echo(json.dumps(_decision(decision), ensure_ascii=False))
        return
    for reason in decision.because:
        typer.echo(f"for a run: {reason}")
    for reason in decision.against:
        typer.echo(f"against: {reason}")
    typer.echo(_plan(retrainer) if decision.due else "nothing would be done")


def _plan(retrainer: Retrainer) -> str:
    settings = retrainer.settings
    sources = [*settings.data, *(["feedback"] if retrainer.labelled is not None else [])]
    names = "challenger" if settings.no_shadow else "challenger, in the shadow"
    return (
        f"would train {retrainer.model} on {', '.join(sources)}, from the {settings.start}, in at most "
        f"{settings.budget_min:g} min, let the gate judge by {', '.join(settings.frozen)}, and make it the {names}"
    )


def _decision(decision: Decision) -> dict[str, Any]:
    return {"due": decision.due, "because": list(decision.because), "against": list(decision.against)}


def show_history(journals: Sequence[Journal], *, as_json: bool) -> None:
    """The runs, the newest first."""
    newest = list(reversed(journals))
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in newest], ensure_ascii=False))
    elif not newest:
        typer.echo("the model was not retrained yet", err=True)
    else:
        rows = [["run", "began (UTC)", "champion", "rows", "outcome", "because", "result"]]
        print_table([*rows, *map(_row, newest)])


def _row(journal: Journal) -> list[str]:
    number = journal.done.get("snapshot", {}).get("rows")
    began = journal.began[:16].replace("T", " ")
    outcome = journal.outcome or f"unfinished, {len(journal.done)} steps done"
    champion = f"{journal.model}:{journal.champion}"
    rows = "-" if number is None else f"{number:,}"
    return [journal.id, began, champion, rows, outcome, "; ".join(journal.because), journal.sentence or "-"]
