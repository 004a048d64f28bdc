"""``bertline evaluate``: a bundle's figures on a labelled table of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.data.settings import EvaluateSettings
from bertline.destination import as_destination_error, check_place, check_room, claim

if TYPE_CHECKING:
    from bertline.data.examples import Example
    from bertline.inference import TextClassifier
    from bertline.tasks.classify.measure import Evaluation

WHAT = "the report"  # in messages about where it goes
EPILOG = "Example: bertline evaluate reviews new-reviews.csv --slice-columns country --report new-report"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(EvaluateSettings)(evaluate))


def evaluate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Labelled table: CSV, TSV, JSON lines or Parquet; - is standard input."),
    ],
    settings: EvaluateSettings,
    report: Annotated[Path | None, typer.Option(help="Directory to write report.html and report.json to.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="Engine to measure, torch included; without it the bundle's first.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure a bundle on labelled rows: accuracy, F1, calibration, slices, each with a 95 % interval.

    A row whose label the bundle does not know counts as wrong; such labels are named and counted apart.
    """
    from bertline.cli.figures_table import print_figures, rows
    from bertline.cli.predict_screen import left_out
    from bertline.data.examples import read_examples
    from bertline.evaluation.wording import collapse
    from bertline.inference import load_predictor

    with _report_place(report):
        predictor = load_predictor(bundle, engine=engine)
        dataset = read_examples(data, settings, slice_columns=settings.slice_columns, trainable=False)
        evaluation = _measure(bundle, predictor, dataset.examples, dataset.source)
        for sentence in dataset.spellings:
            typer.echo(f"note: the label {sentence}, and the spellings count as one label", err=True)
        if (skipped := left_out(dataset.skipped)) is not None:
            typer.echo(skipped, err=True)
        if evaluation.unknown:
            typer.echo(_unknown(evaluation, bundle), err=True)
        if as_json:
            typer.echo(json.dumps(evaluation.to_json(), ensure_ascii=False))
        else:
            print_figures(f"{evaluation.rows:,} rows of {dataset.source}", rows(evaluation.headline()))
        if (collapsed := collapse(evaluation)) is not None:
            typer.echo(f"warning: {collapsed}", err=True)
        if report is not None:
            _write_report(report, evaluation, bundle, dataset.source)


def _unknown(evaluation: Evaluation, bundle: Path) -> str:
    from bertline.evaluation.wording import rows_of
    from bertline.statistics.figures import percent, percent_range
    from bertline.tasks.classify.truth import counted

    names = [one.label for one in evaluation.unknown for _ in range(one.rows)]
    accuracy, rows = evaluation.known_accuracy, rows_of(evaluation.unknown_rows)
    return (
        f"note: {rows} of a label that {bundle} does not know ({counted(names)}) and counted as wrong; accuracy on the "
        f"other rows is {percent(accuracy.value)} ({percent_range(accuracy)})"
    )


@contextmanager
def _report_place(report: Path | None) -> Iterator[None]:
    """Before the work: can the report be written? Within: no other process writes it."""
    from bertline.evaluation.report import check_report_package

    if report is None:
        yield
        return
    check_report_package()
    check_place(report, WHAT, inside=True)
    check_room(report / "report.html", WHAT, 0)
    with claim(report / "report", WHAT):
        yield


def _write_report(report: Path, evaluation: Evaluation, bundle: Path, source: str) -> None:
    from bertline.evaluation.report import write_report

    facts = [("Bundle", str(bundle)), ("Data", f"{evaluation.rows:,} rows of {source}")]
    with as_destination_error(report, WHAT):
        write_report(report, evaluation, history=(), baselines=(), title=bundle.resolve().name, facts=facts)


def _measure(bundle: Path, predictor: TextClassifier, examples: tuple[Example, ...], source: str) -> Evaluation:
    from bertline.errors import DataError
    from bertline.tasks.classify.measure import evaluate as measure
    from bertline.tasks.classify.truth import read_truth

    labels = predictor.labels
    truth = read_truth([one.label for one in examples], labels)
    if (truth.rows >= len(labels)).all():
        raise DataError(
            f"{source} line {examples[0].line} has the label {examples[0].label!r}, and no row has one that {bundle} "
            f"knows ({', '.join(labels)}): give a table with its labels, or name another --label-column"
        )
    texts = [one.text for one in examples]
    scores = predictor.score(texts)
    return measure(
        truth=truth.rows,
        unknown=truth.unknown,
        logits=scores.logits,
        temperature=predictor.temperature,
        labels=labels,
        lengths=[one.read for one in scores.readings],
        fields=[one.fields for one in examples],
        texts=texts,
    )
