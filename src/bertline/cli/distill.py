"""``bertline distill``: a bundle to a smaller one that answers as it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.training.distil_settings import DistilSettings

if TYPE_CHECKING:
    from bertline.training.distil import Distilled

EPILOG = "Example: bertline distill reviews reviews.csv --unlabelled more-reviews.txt --layers 3 --out small"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(DistilSettings, "distill")(distill))


def distill(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the teacher.")],
    out: Annotated[Path, typer.Option("--out", help="Directory of the student to write.")],
    settings: DistilSettings,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Table with a text column, such as that of train; - is standard input."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run, if there is one.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle, or an unfinished run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on standard output.")] = False,
) -> None:
    """Distil a bundle into one of fewer layers, and tell what it kept.

    The student learns the teacher's answers to the texts of DATA and --unlabelled; labels are not
    needed. Texts that are among the bundle's held-out rows are left out.
    """
    from bertline.cli.training_screen import TrainingScreen
    from bertline.training.distil import distil

    with TrainingScreen() as screen:
        distilled = distil(bundle, data, out, settings, screen, resume=resume, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(_record(distilled), ensure_ascii=False))
    _show(distilled)


def _record(distilled: Distilled) -> dict[str, object]:
    sizes = {"teacher": distilled.teacher, "student": distilled.student}
    return {
        **distilled.evaluation.to_json(),
        "kept": distilled.kept.to_json(),
        "networks": {name: {"layers": one.layers, "parameters": one.parameters} for name, one in sizes.items()},
        "speed": {
            "engine": distilled.speed.engine,
            "teacher_texts_s": distilled.speed.teacher_texts_s,
            "student_texts_s": distilled.speed.student_texts_s,
            "ratio": distilled.speed.ratio,
        },
    }


def _show(distilled: Distilled) -> None:
    from rich.console import Console

    from bertline.cli.figures_table import print_figures

    kept, speed, difference = distilled.kept, distilled.speed, distilled.kept.difference
    console = Console(stderr=True, highlight=False)
    console.print()
    figures = [
        ("accuracy of the teacher", kept.teacher),
        ("accuracy of the student", kept.student),
        ("kept (student ÷ teacher)", kept.ratio),
        ("student − teacher", difference.accuracy),
        ("same label from both", kept.agreement),
    ]
    print_figures(f"{distilled.evaluation.rows:,} test rows", figures, stderr=True)
    sizes = " → ".join(
        f"{one.layers} layers, {one.parameters / 1e6:.1f} M parameters"
        for one in (distilled.teacher, distilled.student)
    )
    console.print(
        f"\nSize    {sizes}\n"
        f"Speed   {speed.teacher_texts_s:,.0f} → {speed.student_texts_s:,.0f} texts/s, {speed.ratio:.2f} times, "
        f"by the engine {speed.engine} of both on this machine",
        soft_wrap=True,
    )
    report = distilled.bundle / "report" / "report.html"
    console.print(f"\nBundle  {distilled.bundle}\nReport  {report}", soft_wrap=True)
    console.print(f"\nTry it  bertline serve {distilled.bundle}", soft_wrap=True)
