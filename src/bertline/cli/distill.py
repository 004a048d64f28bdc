"""``bertline distill``: distill a bundle into a smaller one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import bundle_argument
from bertline.cli.settings_flags import with_settings
from bertline.training.distillation.settings import DistillSettings

if TYPE_CHECKING:
    from bertline.training.distillation.fidelity import Fidelity
    from bertline.training.distillation.run import Distilled, Size

EPILOG = "Example: bertline distill reviews reviews.csv --unlabelled more-reviews.txt --layers 3 --out small"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(DistillSettings, "distill")(distill))


def distill(
    bundle: Annotated[Path, bundle_argument("Directory of the teacher.")],
    out: Annotated[Path, typer.Option("--out", help="Output directory of the student.")],
    settings: DistillSettings,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Table with a text column, such as the training table; - is stdin."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an unfinished run, or keep a finished one."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle, or an unfinished run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Distill a bundle into a smaller one, and compare the two.

    The student learns the teacher's answers to the texts of DATA and --unlabelled; labels are not
    needed. Texts among the bundle's held-out rows are left out. --start continues from an earlier
    student; --feed-forward and --attention-heads prune its layers.
    """
    from bertline.cli.training_screen import TrainingScreen, show_finished
    from bertline.training.distillation.run import distill as recipe
    from bertline.training.finished import Finished
    from bertline.training.parallel.launch import carry_out

    with TrainingScreen() as screen:
        distilled = carry_out(
            recipe, settings, screen, resume=resume, bundle=bundle, data=data, out=out, overwrite=overwrite
        )
    if distilled is None:  # this process is a rank, and the leader shows the result
        return
    if isinstance(distilled, Finished):
        show_finished(distilled, as_json=as_json)
        return
    if as_json:
        typer.echo(json.dumps(distilled.to_json(), ensure_ascii=False))
    _show(distilled, settings)


def _show(distilled: Distilled, settings: DistillSettings) -> None:
    from rich.console import Console

    from bertline.cli.figures_table import print_figures
    from bertline.cli.training_screen import show_collapse

    speed = distilled.speed
    console = Console(stderr=True, highlight=False)
    console.print()
    print_figures(f"{distilled.evaluation.rows:,} test rows", _figures(distilled.compared.test), stderr=True)
    sizes = " → ".join(_size(one) for one in (distilled.teacher, distilled.student))
    ends = [("start", distilled.compared.start), ("student", distilled.compared.validation)]
    closeness = " → ".join(_closeness(name, one) for name, one in ends if one is not None)
    console.print(
        f"\nOn the validation rows: {closeness}\n\n"
        f"Size    {sizes}\n"
        f"Speed   {speed.teacher_texts_s:,.0f} → {speed.student_texts_s:,.0f} texts/s, {speed.ratio:.2f} times, "
        f"with the {speed.engine} engine of both on this machine",
        soft_wrap=True,
    )
    report = distilled.bundle / "report" / "report.html"
    console.print(f"\nBundle  {distilled.bundle}\nReport  {report}", soft_wrap=True)
    if not show_collapse(console, distilled.evaluation, settings):
        console.print(f"\nTry it  bertline serve {distilled.bundle}", soft_wrap=True)


def _figures(kept: Fidelity) -> list[tuple[str, str, str]]:
    from bertline.statistics.figures import difference, difference_range, figure

    score, apart, name = kept.comparison.score, kept.comparison.difference, "student − teacher"
    rows = {one: (one, *figure(one if score in one else "accuracy", value)) for one, value in kept.headline()}
    rows[name] = (name, difference(score, apart.value), difference_range(score, apart))
    return list(rows.values())


def _size(network: Size) -> str:
    return (
        f"{network.layers} layers, {network.attention_heads} attention heads in total, {network.feed_forward:,} "
        "feed-forward neurons per layer, "
        f"{network.parameters / 1e6:.1f} M parameters"
    )


def _closeness(name: str, one: Fidelity) -> str:
    return (
        f"{name}: same answer as the teacher {one.agreement.value:.3f}, {one.divergence_text}, "
        f"{one.comparison.score} {one.scores[0].value:.3f}"
    )
