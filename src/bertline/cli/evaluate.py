"""``bertline evaluate``: a bundle's figures on a labelled table of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import address_of, bundle_argument
from bertline.cli.settings_flags import with_settings
from bertline.cli.spread import PANEL
from bertline.data.settings import EvaluateSettings
from bertline.destination import as_destination_error

if TYPE_CHECKING:
    from bertline.inference import TextClassifier
    from bertline.tasks.contract import Evaluation

EPILOG = (
    "Examples: bertline evaluate reviews new-reviews.csv --slice-columns country --report new-report · "
    "bertline evaluate reviews new-reviews.csv --minimum accuracy=0.82 --maximum ece=0.05"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(EvaluateSettings)(evaluate))


def evaluate(
    bundle: Annotated[Path, bundle_argument("Directory of the bundle.")],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Labelled table, or for a masked language model a table or .txt file of texts; - is standard input.",
        ),
    ],
    settings: EvaluateSettings,
    report: Annotated[Path | None, typer.Option(help="Directory to write report.html and report.json to.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="Engine to measure, torch and words included; without it the bundle's first.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    minimum: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Exit with 1 if this figure of the JSON is lower; may be repeated."),
    ] = None,
    maximum: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Exit with 1 if this figure of the JSON is higher; may be repeated."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ray cluster whose workers answer the rows: HOST:PORT, auto, or local for one on this machine. The "
            "figures are those of one process.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers on the cluster; without it as many as it has cores.", rich_help_panel=PANEL),
    ] = None,
    worker_cores: Annotated[int, typer.Option(min=1, help="Cores of a worker.", rich_help_panel=PANEL)] = 1,
) -> None:
    """Measure a bundle on labelled rows: the figures of its task, calibration, slices, each with a 95 % interval.

    Labels that the bundle does not know count as wrong or missed. They are named and counted apart.
    """
    from bertline.cli.figures_table import print_figures, rows
    from bertline.cli.report_place import report_place
    from bertline.evaluation.bounds import Bound, check_bounds
    from bertline.evaluation.labelled_table import evaluate_table
    from bertline.inference import load_predictor
    from bertline.statistics.figures import how_many

    bounds = [Bound.parse(one, least=True) for one in minimum or ()]
    bounds += [Bound.parse(one, least=False) for one in maximum or ()]
    with ExitStack() as stack:
        stack.enter_context(report_place(report, "report.html"))  # before the work of loading
        loaded = load_predictor(bundle, engine=engine)
        predictor = stack.enter_context(_on_cluster(loaded, bundle, ray, workers, worker_cores))
        measured = evaluate_table(bundle, predictor, data, settings)
        evaluation = measured.evaluation
        for sentence in measured.notes:
            typer.echo(f"note: {sentence}", err=True)
        if as_json:
            typer.echo(json.dumps(evaluation.to_json(), ensure_ascii=False))
        else:
            print_figures(f"{how_many(evaluation.rows, 'row')} of {measured.source}", rows(evaluation.headline()))
        if measured.collapsed is not None:
            typer.echo(f"warning: {measured.collapsed}", err=True)
        if report is not None:
            _write_report(report, evaluation, bundle, measured.source)
        check_bounds(bounds, evaluation.metrics(), f"{how_many(evaluation.rows, 'row')} of {measured.source}")


@contextmanager
def _on_cluster(
    predictor: TextClassifier, bundle: Path, ray: str | None, workers: int | None, worker_cores: int
) -> Iterator[TextClassifier]:
    """Within: the predictor, its batches computed by a cluster if there is one."""
    if ray is None:
        yield predictor
        return
    from bertline.bundle.verify import read_manifest
    from bertline.distributed.remote_backend import on_cluster
    from bertline.machine.ray_cluster import connect

    with connect(ray) as cluster:
        number = workers or max(1, cluster.cores // worker_cores)
        checksum = read_manifest(bundle).checksum
        yield on_cluster(predictor, bundle, checksum, cluster, number, worker_cores, address_of(bundle))


def _write_report(report: Path, evaluation: Evaluation, bundle: Path, source: str) -> None:
    from bertline.cli.report_place import WHAT
    from bertline.evaluation.report import write_report
    from bertline.statistics.figures import how_many

    facts = [("Bundle", str(bundle)), ("Data", f"{how_many(evaluation.rows, 'row')} of {source}")]
    with as_destination_error(report, WHAT):
        write_report(report, evaluation, history=(), baselines=(), title=bundle.resolve().name, facts=facts)
