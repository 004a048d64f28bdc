"""What a person sees while a model trains; on standard error, so that standard output stays for programs."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bertline.bundle.engine import WORDS
from bertline.cli.figures_table import print_figures, rows
from bertline.machine.timing import DurationRange
from bertline.statistics.figures import PERCENT
from bertline.tasks.history import EpochRecord
from bertline.training.progress import Plan, Step, duration, epoch_line, plan_lines, step_figures
from bertline.training.settings import TrainSettings

if TYPE_CHECKING:
    from bertline.tasks.contract import Evaluation
    from bertline.training.distillation.settings import DistillSettings
    from bertline.training.finished import Finished
    from bertline.training.run import Trained

CORRECTED_AFTER_S = 20.0
CORRECTED_EVERY_S = 60.0  # at most
FAR_OFF = 1.4  # times as long, or as short, as was said
RARE_BEYOND = 0.8  # share of the most frequent label from which the others may have been too rare to be learned
LOG_EVERY_S = 15.0  # without a terminal: a line that often


class TrainingScreen:
    """Shows a run on a terminal as a bar with figures; elsewhere as a line now and then."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}" + PERCENT + "  {task.fields[figures]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=None, figures="", visible=False)
        self._told = self._begun = 0.0
        self._expected: DurationRange | None = None
        self._corrected_s = -math.inf  # when, on the clock of the run

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """A fact, on a line of its own."""
        self._console.print(text, soft_wrap=True, markup=False)

    def planned(self, plan: Plan) -> None:
        """What comes now, and how long it takes."""
        for line in plan_lines(plan):
            self.note(line)
        self._expected, self._begun = plan.seconds, time.monotonic()

    def stepped(self, step: Step) -> None:
        """Move the bar, and say so when the time left is another than was said."""
        self._correct(step)
        name, figures = f"epoch {step.epoch} of {step.epochs}", step_figures(step)
        self._bar.update(
            self._task, total=step.steps, completed=step.step, description=name, figures=figures, visible=True
        )
        if not self._console.is_terminal and time.monotonic() - self._told >= LOG_EVERY_S:
            self._told = time.monotonic()
            self.note(f"  {name}, step {step.step} of {step.steps}: {figures}")

    def _correct(self, step: Step) -> None:
        """At most once a minute, and only where the whole time is far from the one said last."""
        spent = time.monotonic() - self._begun
        if self._expected is None or spent < max(CORRECTED_AFTER_S, self._corrected_s + CORRECTED_EVERY_S):
            return
        total = spent + step.seconds_left
        if self._expected.low / FAR_OFF <= total <= self._expected.high * FAR_OFF:
            return
        self._expected, self._corrected_s = DurationRange(total, total), spent
        self.note(
            f"Time: now about {duration(step.seconds_left)} left at {step.tokens_per_s:,.0f} tokens/s, the pace of the "
            "last minute"
        )

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        """The epoch's figures."""
        self.note(epoch_line(record, best))


def show_result(trained: Trained) -> None:
    """The headline figures of a finished run, where everything is, and what to do next."""
    from bertline.evaluation.wording import beaten

    console = Console(stderr=True, highlight=False)
    console.print()
    print_figures(f"{trained.measured.evaluation.rows:,} test rows", rows(trained.headline()), stderr=True)
    _show_places(console, trained.bundle)
    if not show_collapse(console, trained.measured.evaluation, trained.settings):
        if behind := beaten(trained.measured.baselines):
            again = f"train again with more --epochs (it was {trained.settings.epochs})"
            console.print(f"\nwarning: {behind}: {_instead(trained)}{again}", soft_wrap=True, markup=False)
        console.print(f"\nTry it  bertline serve {trained.bundle}", soft_wrap=True)
        console.print(f"Faster  bertline optimize {trained.bundle}", soft_wrap=True)
    if (words := trained.measured.words) is not None:
        command = f"bertline serve {trained.bundle} --engine {WORDS}"
        console.print(f"Better  {command} (the linear model of words: {words.sentence})", soft_wrap=True, markup=False)


def _instead(trained: Trained) -> str:
    """What to do rather than to train again, where a baseline is ahead on the test rows."""
    evaluation, words = trained.measured.evaluation, trained.measured.words
    if words is not None:
        return f"use the engine {WORDS}, or "
    if evaluation.headline()[0][0] == "accuracy":
        return "on the validation rows no linear model of words is significantly better, so none is kept; "
    return "use that, or "


def show_finished(finished: Finished, *, as_json: bool) -> None:
    """The figures of a bundle that was there before the command, and where everything is."""
    if as_json:
        typer.echo(json.dumps(finished.record, ensure_ascii=False))
    console = Console(stderr=True, highlight=False)
    console.print()
    print_figures(finished.title, rows(finished.headline()), stderr=True)
    _show_places(console, finished.out)


def _show_places(console: Console, bundle: Path) -> None:
    console.print(f"\nBundle  {bundle}\nReport  {bundle / 'report' / 'report.html'}", soft_wrap=True)


def show_collapse(console: Console, evaluation: Evaluation, settings: TrainSettings | DistillSettings) -> bool:
    """Whether the model answers every text alike; if so, print that, and what to try."""
    from bertline.evaluation.wording import collapse
    from bertline.tasks.classify.one_label import Evaluation as OneLabelEvaluation

    collapsed = collapse(evaluation)
    if collapsed is None:
        return False
    others = [f"a lower --lr (it was {settings.lr:g})", f"a higher --warmup-ratio (it was {settings.warmup_ratio:g})"]
    if isinstance(evaluation, OneLabelEvaluation) and isinstance(settings, TrainSettings):
        majority = max(one.support for one in evaluation.classes) / evaluation.rows
        if settings.class_weights == "none" and majority >= RARE_BEYOND:
            others.append("--class-weights balanced, because one label has most of the rows")
    console.print(f"\nwarning: {collapsed}: train again with {' or '.join(others)}", soft_wrap=True, markup=False)
    return True
