"""``bertline drift``: are new texts still like those that the model was measured on?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import bundle_argument
from bertline.cli.feedback_store import Model, Since, StoreUrl, model_in, opened, since_of
from bertline.cli.settings_flags import with_settings
from bertline.errors import UsageError
from bertline.lifecycle.drift.settings import DriftSettings

if TYPE_CHECKING:
    from bertline.lifecycle.drift.found import Drift
    from bertline.lifecycle.drift.run import TableDrift

EPILOG = (
    "Examples: bertline drift reviews last-week.csv --report drift · "
    "bertline drift reviews last-week.csv --check && echo unchanged · "
    "bertline drift reviews --predictions-url sqlite:////var/lib/bertline/predictions.db --since 7d"
)
FOREIGN_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(DriftSettings)(drift))


def drift(
    bundle: Annotated[Path, bundle_argument("Directory of the bundle.")],
    settings: DriftSettings,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Table or .txt file of new texts; labels are not needed. Without it, the texts that the store of "
            "predictions kept.",
            show_default=False,
        ),
    ] = None,
    url: StoreUrl = None,
    model: Model = None,
    since: Since = None,
    report: Annotated[Path | None, typer.Option(help="Directory to write drift.html and drift.json to.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if drift or a drop of accuracy was found.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON, without texts.")] = False,
) -> None:
    """Compare new texts with the rows that the bundle was measured on.

    Four permutation tests are made: of the answers, of the embeddings, by a classifier that tries to tell new texts
    from reference texts, and of how the model reads them. Together they raise a false alarm in at most 5 % of
    comparisons (--level). A changed share of labels is told apart from changed texts, and accuracy is estimated without
    labels.

    With --labelled, accuracy is followed from row to row, and of a store always by the feedback on this version's
    predictions, in their order. The test for a drop raises a false alarm in 1 % of streams of 10,000 labels.
    """
    from bertline.cli.predict_screen import note
    from bertline.cli.report_place import WHAT, report_place
    from bertline.destination import as_destination_error
    from bertline.lifecycle.drift.found import DriftFound
    from bertline.lifecycle.drift.page import write_drift
    from bertline.lifecycle.drift.run import drift_of_table
    from bertline.lifecycle.drift.wording import headline, labelled_words

    if data is not None and any((url, model, since)):
        raise UsageError(
            "--predictions-url, --model and --since are for texts of the store of predictions: leave out DATA"
        )
    with report_place(report, "drift.html"):
        if data is not None:
            found = drift_of_table(bundle, data, settings)
        else:
            found = _of_store(bundle, url, model, settings, since)
        for sentence in found.notes:
            note(f"note: {sentence}")
        if report is not None:
            with as_destination_error(report, WHAT):
                write_drift(report, found, title=bundle.resolve().name)
    if as_json:
        typer.echo(json.dumps(found.drift.to_json(texts=False), ensure_ascii=False))
    else:
        _show(found.drift, found.source)
    if report is not None:
        note(f"report: {report / 'drift.html'}")
    if check and found.drift.dropped:
        *_, dropped = labelled_words(found.drift)
        raise DriftFound(f"{found.source}: {dropped[:-1]}; read the report, or leave out --check")
    if check and found.drift.kind != "none":
        raise DriftFound(f"{found.source}: {headline(found.drift)[:-1]}; read the report, or leave out --check")


def _of_store(
    bundle: Path, url: str | None, model: str | None, settings: DriftSettings, since: str | None
) -> TableDrift:
    """Compare the predictions of a store, which keeps what was found."""
    from bertline.lifecycle.drift.run import drift_of_store
    from bertline.lifecycle.predictions.accuracy_checks import add_accuracy_check
    from bertline.lifecycle.predictions.checks import add_check

    with opened(url) as store:
        name = model_in(store, model)
        found = drift_of_store(bundle, store, name, settings, (since_of(since), None))
        add_check(store, found.check(name))
        if found.accuracy is not None:
            add_accuracy_check(store, found.accuracy)
    return found


def _show(found: Drift, source: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from bertline.lifecycle.drift.wording import accuracy_words, headline, labelled_words, meaning, p_words, size_words
    from bertline.statistics.figures import percent

    console = Console(highlight=False, markup=False)
    console.print(f"{headline(found)} {meaning(found)}\n")
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(f"{found.new_rows:,} texts of {source}")
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("changed", no_wrap=True)
    table.add_column("")
    for test in found.tests:
        changed = "yes" if test.adjusted <= found.level else "no"
        table.add_row(test.name, p_words(test.adjusted), changed, size_words(test, found.level))
    console.print(table)
    if found.prior is not None and found.kind != "texts":  # shares are estimated as if texts had not changed
        console.print()
        for name, before, after in zip(found.prior.labels, found.prior.before, found.prior.after, strict=True):
            interval = f"{percent(after.low)} to {percent(after.high)}"
            console.print(f"share of {name}: {percent(before)} → {percent(after.value)} ({interval})")
    for paragraph in (labelled_words(found), accuracy_words(found)):
        for number, sentence in enumerate(paragraph):
            console.print(sentence if number else f"\n{sentence}")
    if found.kind == "texts" and found.foreign:
        console.print("\nThe most foreign texts:")
        for one in found.foreign[:FOREIGN_SHOWN]:
            text = " ".join(one.text.split())
            console.print(f"  {one.place:>6}  {text}", overflow="ellipsis", no_wrap=True)
