"""``bertline scan``: which changes of a text break the model's answer?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import bundle_argument
from bertline.cli.feedback_store import Model, Since, StoreUrl, model_in, opened, since_of
from bertline.cli.settings_flags import with_settings
from bertline.errors import BertlineError, UsageError
from bertline.lifecycle.probes.settings import ScanSettings

if TYPE_CHECKING:
    from rich.text import Text

    from bertline.lifecycle.probes.found import Outcome, Scan, Tried
    from bertline.text import Input

EPILOG = (
    "Examples: bertline scan reviews texts.csv --cases broken.jsonl · "
    'bertline scan reviews --text "I didn\'t like the film." --probes typos · '
    "bertline scan reviews --predictions-url sqlite:////var/lib/bertline/predictions.db --since 7d"
)
CASES = "the cases"  # in messages about where they go
SHOWN = 2  # texts of a probe, of those that broke it


class ProbesFailed(BertlineError):
    """More texts break a probe than is allowed."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(ScanSettings)(scan))


def scan(
    bundle: Annotated[Path, bundle_argument("Directory of the bundle.")],
    settings: ScanSettings,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Table or .txt file of texts; labels are not needed. Without it, --text, or the texts that the store "
            "of predictions kept.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A text to probe; repeatable.")] = None,
    url: StoreUrl = None,
    model: Model = None,
    since: Since = None,
    cases: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write what broke, for bertline gate --behaviour.")
    ] = None,
    all_cases: Annotated[bool, typer.Option("--all-cases", help="Write the cases that passed to --cases too.")] = False,
    check: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Exit with 1 if a probe surely breaks more than this share of texts."
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Engine to use. [the bundle's first]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Change texts so that the answer must stay, and show which changes break it: typos, names, dialects, negation.

    The changes keep what is true of a text, surely or likely; labels are not needed. Models of sentiment are also given
    changes that must move the answer one way.
    """
    from bertline.cli.predict_screen import note
    from bertline.destination import as_destination_error, check_place, replace_file
    from bertline.inference import load_predictor
    from bertline.lifecycle.probes.scan import scan as run

    if sum((data is not None, bool(text), any((url, model, since)))) > 1:
        raise UsageError("give DATA, or --text, or --predictions-url with --model and --since: one of the three")
    if all_cases and cases is None:
        raise UsageError("--all-cases writes to the file that --cases names: give --cases")
    if cases is not None:
        check_place(cases, CASES)
    predictor = load_predictor(bundle, engine=engine)
    if text and predictor.spec.pairs:
        raise UsageError(f"--text gives single texts, and {bundle} reads pairs: give a table")
    inputs, notes = ([*text], []) if text else _inputs(data, settings, predictor.spec.reads, (url, model, since))
    found = run(predictor, inputs, settings)
    for sentence in notes:
        note(f"note: {sentence}")
    if cases is not None:
        with as_destination_error(cases, CASES):
            replace_file(cases, found.cases_file(passed=all_cases).encode())
    if as_json:
        typer.echo(json.dumps(found.to_json(passed=all_cases), ensure_ascii=False))
    else:
        _show(found)
    if cases is not None:
        note(f"cases: {cases}")
    if check is not None and (failed := _beyond(found, check)):
        raise ProbesFailed("; ".join(failed))


def _inputs(
    data: str | None, settings: ScanSettings, reads: str, kept: tuple[str | None, str | None, str | None]
) -> tuple[list[Input], list[str]]:
    from bertline.lifecycle.probes.inputs import inputs_of_store, inputs_of_table

    if data is not None:
        return inputs_of_table(data, settings, reads)  # type: ignore[arg-type]
    url, model, since = kept
    with opened(url) as store:
        return inputs_of_store(store, model_in(store, model), settings, (since_of(since), None))


def _beyond(found: Scan, share: float) -> list[str]:
    """Of each probe that surely breaks more texts: the lower end of its interval is above."""
    from bertline.statistics.figures import percent

    return [
        f"{one.probe.name} breaks {percent(one.rate.value)} of {len(one.tried):,} texts, surely more than "
        f"{percent(share)}: read what broke, or raise --check"
        for one in found.outcomes
        if one.rate is not None and one.rate.low > share
    ]


def _show(found: Scan) -> None:
    from rich.console import Console
    from rich.table import Table

    from bertline.statistics.figures import INTERVAL

    console = Console(highlight=False, markup=False)
    left = f", {found.left_out:,} left out" if found.left_out else ""
    console.print(f"{found.texts:,} texts{left}, {found.answers:,} answers of the model\n")
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("probe", no_wrap=True)
    table.add_column("broken", justify="right", no_wrap=True)
    table.add_column(f"share, {INTERVAL}", no_wrap=True)
    table.add_column("", overflow="fold")
    for outcome in found.outcomes:
        if outcome.tried:
            table.add_row(outcome.probe.name, *_row(outcome))
    console.print(table)
    unchanged = [outcome.probe.name for outcome in found.outcomes if not outcome.tried]
    if unchanged:
        console.print(f"\nThere is nothing in these texts to change for: {', '.join(unchanged)}.", style="dim")
    for outcome in found.outcomes:
        for number, one in enumerate(outcome.broken[:SHOWN]):
            if not number:
                console.print(f"\n{outcome.probe.name}", style="bold")
            for side in (0, 1):
                console.print(_line(one, side), soft_wrap=True)


def _row(outcome: Outcome) -> tuple[str, str, str]:
    from bertline.statistics.figures import percent

    assert outcome.rate is not None
    rate, alike = outcome.rate, sum(one.alike for one in outcome.tried)
    interval = f"{percent(rate.value)} ({percent(rate.low)} to {percent(rate.high)})"
    same = f"the model reads {alike:,} as they were" if alike else ""
    return f"{len(outcome.broken):,} of {len(outcome.tried):,}", interval, same


def _line(one: Tried, side: int) -> Text:
    """The answer, and the text with the words that differ in colour."""
    from rich.text import Text

    from bertline.lifecycle.probes.marks import marked
    from bertline.statistics.figures import percent

    answer, probability = one.said[side]
    line = Text(f"  {answer}{'' if probability is None else f' {percent(probability)}'}  ", style="dim")
    for number, (before, after) in enumerate(zip(one.before, one.after, strict=True)):
        shown = Text((before, after)[side], style="default")
        for start, end in marked(before, after)[side]:
            shown.stylize("bold dark_orange", start, end)
        line.append_text(Text(" | " if number else "", style="dim")).append_text(shown)
    return line
