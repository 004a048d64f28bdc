"""``bertline feedback show`` and ``review``: how good a model is by feedback, and what to look at next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import fetched
from bertline.cli.feedback_store import AsJson, Model, Since, StoreUrl, model_in, opened, since_of
from bertline.cli.plain_table import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertline.lifecycle.predictions.figures import States
    from bertline.lifecycle.predictions.judged import Live
    from bertline.lifecycle.predictions.review import Candidate
    from bertline.statistics.intervals import Estimate

SHOWN_TEXT = 60  # characters of a text on the screen


def register(app: typer.Typer) -> None:
    """Add the verbs to ``feedback``."""
    app.command(epilog="Examples: bertline feedback show · bertline feedback show --since 7d --json")(show)
    app.command(epilog="Example: bertline feedback review --limit 100 --out to-label.csv")(review)


def show(
    model: Model = None,
    since: Since = None,
    slices: Annotated[bool, typer.Option(help="Show slices too: labels, lengths, clients, sources.")] = True,
    url: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show live accuracy by version and slice, with 95 % intervals, and how much feedback there is.

    Feedback is rarely a random sample: people report errors more often than right answers. --since takes the time of
    the predictions.
    """
    from bertline.lifecycle.predictions.figures import states
    from bertline.lifecycle.predictions.judged import live

    with opened(url) as store:
        name, moment = model_in(store, model), since_of(since)
        counts, found = states(store, name, since=moment), live(store, name, since=moment)
    if as_json:
        content = {
            "model": name,
            "predictions": counts.predictions,
            "shadows": counts.shadows,
            "with_text": counts.with_text,
            "feedback": counts.feedback,
            "versions": [one.to_json() for one in found],
        }
        typer.echo(json.dumps(content, ensure_ascii=False))
        return
    _show_counts(name, counts)
    for one in found:
        _show_version(one, slices=slices)


def _show_counts(name: str, counts: States) -> None:
    said = {"latest": "counts", "superseded": "superseded", "waiting": "of unknown requests", "invalid": "invalid"}
    feedback = ", ".join(f"{counts.feedback[key]:,} {word}" for key, word in said.items() if key in counts.feedback)
    shadows = f", {counts.shadows:,} of a shadow" if counts.shadows else ""
    typer.echo(f"{name}: {counts.predictions:,} predictions, {counts.with_text:,} with their text{shadows}")
    typer.echo(f"feedback: {feedback or 'none'}")


def _show_version(one: Live, *, slices: bool) -> None:
    figures = [] if one.accuracy is None else [f"accuracy {_percent(one.accuracy)}"]
    if one.off is not None:
        figures.append(f"mean error {one.off.value:.3g} ({one.off.low:.3g} to {one.off.high:.3g})")
    said = ", ".join(figures) or "neither right nor wrong"
    typer.echo(f"\nversion {one.digest[:12]}: {said}, on {one.rows:,} predictions")
    if slices and one.slices:
        rows = [("slice", "rows", "accuracy", "")]
        rows += [
            (
                f"{name}: {part.name}",
                f"{part.rows:,}",
                _percent(part.estimate),
                "too few to tell" if part.unsure else "",
            )
            for name, parts in one.slices.items()
            for part in parts
        ]
        print_table(rows)


def _percent(estimate: Estimate) -> str:
    from bertline.statistics.figures import percent

    return f"{percent(estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def review(
    model: Model = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    out: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Write a table with an empty column correct, which import reads."),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(metavar="BUNDLE", help="Also list texts unlike those that this bundle was measured on."),
    ] = None,
    since: Since = None,
    url: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """List predictions to look at first: suspected label errors, disagreement with a shadow, unsure answers.

    Labels are suspected by confident learning (Northcutt et al. 2021): the model was confident of another one. Fill in
    the column correct of the table, and import it.
    """
    from bertline.lifecycle.predictions.foreign import reference_texts
    from bertline.lifecycle.predictions.review import review as run

    reference = () if bundle is None else reference_texts(fetched(bundle))
    with opened(url) as store:
        found = run(store, model_in(store, model), limit=limit, since=since_of(since), reference=reference)
    if out is not None:
        _write(out, found)
        typer.echo(f"{len(found):,} predictions to review: {out}")
    elif as_json:
        typer.echo(json.dumps([one.to_json() for one in found], ensure_ascii=False))
    elif not found:
        typer.echo("nothing to review")
    else:
        _print(found)


def _write(out: Path, found: Sequence[Candidate]) -> None:
    from bertline.data.table import open_writer
    from bertline.lifecycle.predictions.review import COLUMNS

    with open_writer(out, columns=COLUMNS) as writer:
        for one in found:
            writer.write({name: _plain(value) for name, value in one.to_json().items()})


def _plain(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _print(found: Sequence[Candidate]) -> None:
    rows = [("request", "index", "why", "score", "answer", "feedback or shadow", "text")]
    for one in found:
        said = one.correct if one.why == "label error" else one.other
        text = " ".join(" / ".join(one.texts or ()).split())
        rows.append(
            (
                one.request_id,
                str(one.item),
                one.why,
                f"{one.score:.3f}",
                str(_plain(one.answer)),
                "" if said is None else str(_plain(said)),
                text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}…",
            )
        )
    print_table(rows)
