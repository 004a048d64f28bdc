"""``bertline train``: a table of labelled text to a verified bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertline.cli.models_registry import RegistryUrl, StorePlace
from bertline.cli.settings_flags import with_settings
from bertline.training.settings import TrainSettings

EPILOG = (
    "Examples: bertline train reviews.csv --text-column review --label-column sentiment --out reviews · "
    "bertline train reviews.csv --out reviews --register reviews"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TrainSettings, "train")(train))


def train(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="CSV, TSV, JSON lines or Parquet, plain or gzipped; - is standard input."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory of the bundle to write.")],
    settings: TrainSettings,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an unfinished run, or keep a finished one."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle, or an unfinished run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    check_only: Annotated[
        bool, typer.Option("--check", help="Check the table, the model and the settings, and train nothing.")
    ] = False,
    track: Annotated[
        bool, typer.Option("--track", help="Record the run in the registry, where MLflow's page shows it.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "--register", metavar="NAME", help="Add the bundle to the registry as a version; implies --track."
        ),
    ] = None,
    experiment: Annotated[str, typer.Option(help="MLflow's group of runs, with --track.")] = "bertline",
    registry: RegistryUrl = None,
    store: StorePlace = None,
) -> None:
    """Fine-tune an encoder on labelled text, evaluate it and write a bundle.

    DATA needs a column of text and one of labels, several labels, numbers or entities. Part of it
    is held out to choose the epoch and to report figures.
    """
    from bertline.cli.train_tracking import Recorded, leads
    from bertline.cli.training_screen import TrainingScreen, show_finished, show_result
    from bertline.lifecycle.tracked import TrackedProgress
    from bertline.registry.settings import registry_settings
    from bertline.training.finished import Finished
    from bertline.training.parallel.launch import carry_out
    from bertline.training.run import check
    from bertline.training.run import train as recipe

    recorded = Recorded(registry_settings(registry, store), experiment, name)
    wanted = (track or name is not None) and not check_only and leads()
    with TrainingScreen() as screen, recorded.run(out, settings, wanted=wanted) as tracked:
        if check_only:
            check(data, out, settings, screen)
            typer.echo("Everything is in order; nothing was trained.")
            return
        progress = screen if tracked is None else TrackedProgress(screen, tracked)
        trained = carry_out(recipe, settings, progress, resume=resume, source=data, out=out, overwrite=overwrite)
    if trained is None:  # this process is a rank, and the leader shows the result
        return
    if isinstance(trained, Finished):
        show_finished(trained, as_json=as_json)
        recorded.again(tracked, trained)
        return
    if as_json:
        typer.echo(json.dumps(trained.measured.to_json(), ensure_ascii=False))
    show_result(trained)
    if tracked is not None:
        recorded.finish(tracked, trained)
