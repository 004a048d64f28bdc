"""``report.html``, one page that needs nothing else, and ``report.json`` with the same figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bertline.destination import replace_file
from bertline.errors import UsageError
from bertline.evaluation.baselines import Baseline
from bertline.evaluation.wording import (
    MEANINGS,
    TERMS,
    absent_note,
    calibration_note,
    confusion_note,
    verdict,
)
from bertline.statistics import figures
from bertline.statistics.intervals import Estimate, wilson
from bertline.tasks.classify.one_label import Evaluation
from bertline.tasks.history import EpochRecord

_NO_JINJA = "the report needs Jinja, which is not installed: pip install 'bertline[train]'"

Pairs = Sequence[tuple[str, str]]


def write_report(
    directory: Path,
    evaluation: Evaluation,
    *,
    title: str,
    history: Sequence[EpochRecord] = (),
    baselines: Sequence[Baseline] = (),
    facts: Pairs = (),
    settings: Pairs = (),
) -> Path:
    """Write ``report.html`` and ``report.json`` into ``directory`` (made if need be), and say where the page is.

    Args:
        directory: of the two files; older ones are replaced.
        evaluation: what was measured.
        title: heading of the page.
        history: one record per epoch; none leaves the learning curves out.
        baselines: measured on the same rows; none leaves the comparison out.
        facts: names and values about the data, in the order to show them.
        settings: names and values about the training, in the order to show them.

    Raises:
        UsageError: Jinja is not installed.
        OSError: the files cannot be written.
    """
    page = render(evaluation, title=title, history=history, baselines=baselines, facts=facts, settings=settings)
    record = {
        "title": title,
        **evaluation.to_json(),
        "baselines": [one.to_json() for one in baselines],
        "history": [one.to_json() for one in history],
        "facts": [list(pair) for pair in facts],
        "settings": [list(pair) for pair in settings],
    }
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    replace_file(directory / "report.json", text.encode())
    replace_file(directory / "report.html", page.encode())
    return directory / "report.html"


def render(
    evaluation: Evaluation,
    *,
    title: str,
    history: Sequence[EpochRecord],
    baselines: Sequence[Baseline],
    facts: Pairs,
    settings: Pairs,
) -> str:
    """The page as text.

    Raises:
        UsageError: Jinja is not installed.
    """
    template = _template()
    from bertline.evaluation import charts  # the pictures need markupsafe, which comes with Jinja

    scale = _common_scale(evaluation)
    page: str = template.render(
        title=title,
        evaluation=evaluation,
        history=history,
        baselines=baselines,
        facts=facts,
        settings=settings,
        verdict=verdict(evaluation, baselines),
        figures=_cards(evaluation),
        calibration=_calibration_rows(evaluation),
        calibration_note=calibration_note(evaluation),
        confusion_note=confusion_note(evaluation),
        absent_note=absent_note(evaluation),
        terms=TERMS,
        pictures=_pictures(evaluation, history, baselines),
        mark=lambda estimate: charts.interval_mark(estimate, evaluation.accuracy.value, scale),
    )
    return page


def check_report_package() -> None:
    """Before the work whose report it is to be: see that Jinja is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("jinja2") is None:
        raise UsageError(_NO_JINJA)


def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise UsageError(_NO_JINJA) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bertline", "evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (figures.percent, figures.percent_range, figures.gain, figures.gain_range, figures.p_value):
        environment.filters[filter_.__name__] = filter_
    return environment.get_template("report.html.jinja")


def _pictures(evaluation: Evaluation, history: Sequence[EpochRecord], baselines: Sequence[Baseline]) -> dict[str, str]:
    from bertline.evaluation import charts, matrix

    drawn = {
        "confusion": matrix.confusion_matrix(evaluation.labels, evaluation.confusion),
        "reliability": charts.reliability_diagram(evaluation.uncalibrated.bins, evaluation.calibrated.bins),
    }
    if history:
        drawn |= {"loss": charts.loss_curves(history), "accuracy": charts.accuracy_curve(history)}
    if baselines:
        compared = [("Encoder", evaluation.accuracy), *((one.name, one.accuracy) for one in baselines)]
        drawn["baselines"] = charts.bars(compared)
    if evaluation.by_length:
        drawn["length"] = charts.accuracy_by_length(evaluation.by_length, evaluation.accuracy.value)
    return dict(drawn)


def _cards(evaluation: Evaluation) -> list[dict[str, str]]:
    cards = []
    for name, estimate in evaluation.headline():
        if name in MEANINGS:
            value, interval = figures.figure(name, estimate)
            cards.append({"name": name, "value": value, "range": interval, "meaning": MEANINGS[name]})
    cards[-1]["meaning"] += f"; {figures.percent(evaluation.uncalibrated.ece.value)} before temperature"
    return cards


def _calibration_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    named = (
        ("ECE", "ece", "ECE"),
        ("ECE, equal-mass bins", "ece_equal_mass", "ECE"),
        ("NLL", "nll", "NLL"),
        ("Brier score", "brier", "Brier"),
    )
    both = (evaluation.uncalibrated, evaluation.calibrated)
    return [
        {"name": shown, "cells": [figures.figure(kind, getattr(scores, attribute)) for scores in both]}
        for shown, attribute, kind in named
    ]


def _common_scale(evaluation: Evaluation) -> tuple[float, float]:
    every = [*evaluation.by_length, *(one for rows in evaluation.slices.values() for one in rows)]
    accuracies: list[Estimate] = [one.estimate for one in every] or [wilson(0, 0)]
    return min(one.low for one in accuracies), max(one.high for one in accuracies)
