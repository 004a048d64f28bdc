"""``report.html``, one page that needs nothing else, and ``report.json`` with the same figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertline.destination import replace_file
from bertline.errors import needing
from bertline.evaluation.baselines import Baseline
from bertline.evaluation.kinds import kind_of
from bertline.evaluation.wording import verdict
from bertline.statistics import figures
from bertline.statistics.intervals import Estimate
from bertline.statistics.slices import Slice
from bertline.tasks.contract import Evaluation
from bertline.tasks.history import EpochRecord

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
    """Write ``report.html`` and ``report.json`` into ``directory``, created if missing; return the page's path.

    Args:
        directory: output directory; existing files are overwritten.
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
        "baselines": [baseline.to_json() for baseline in baselines],
        "history": [record.to_json() for record in history],
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
    kind = kind_of(evaluation)
    template = page_template(kind.template, "evaluation")
    by_length: Sequence[Slice] = getattr(evaluation, "by_length", ())
    slices: Mapping[str, Sequence[Slice]] = getattr(evaluation, "slices", {})
    context = kind.context(evaluation)
    pictures = context.pop("pictures", {}) | _pictures(evaluation, by_length, history, baselines)
    page: str = template.render(
        title=title,
        evaluation=evaluation,
        estimates=_estimates(evaluation),
        history=history,
        baselines=baselines,
        by_length=by_length,
        slices=slices,
        facts=facts,
        settings=settings,
        verdict=verdict(evaluation, baselines),
        pictures=pictures,
        mark=_mark(evaluation, [*by_length, *(part for rows in slices.values() for part in rows)]),
        **context,
    )
    return page


def import_jinja() -> Any:
    """Jinja, which writes the page.

    Raises:
        UsageError: it is not installed.
    """
    with needing("the report needs Jinja", "jinja2", extra="train"):
        import jinja2
    return jinja2


def page_template(name: str, *packages: str) -> Any:
    """A Jinja template from the packages' folders.

    Raises:
        UsageError: Jinja is not installed.
    """
    jinja2 = import_jinja()
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("bertline", package) for package in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        figures.percent,
        figures.percent_range,
        figures.plain,
        figures.exact,
        figures.figure,
        figures.title,
        figures.difference,
        figures.difference_range,
        figures.p_value,
    ):
        environment.filters[filter_.__name__] = filter_
    environment.filters["capital"] = lambda name: name[:1].upper() + name[1:]
    return environment.get_template(name)


def _estimates(evaluation: Evaluation) -> dict[str, Estimate]:
    return {name: Estimate(**figure) for name, figure in evaluation.metrics().items()}


def _pictures(
    evaluation: Evaluation, by_length: Sequence[Slice], history: Sequence[EpochRecord], baselines: Sequence[Baseline]
) -> dict[str, str]:
    from bertline.evaluation import charts

    drawn: dict[str, str] = {}
    if history:
        drawn["loss"] = charts.loss_curves(history)
        if history[0].figures:
            drawn["figure"] = charts.figure_curve(history)
    if baselines:
        name = baselines[0].figure
        compared = [
            ("Encoder", _estimates(evaluation)[name]),
            *((baseline.name, baseline.score) for baseline in baselines),
        ]
        drawn["baselines"] = charts.bars(name, compared)
    if by_length:
        drawn["length"] = charts.by_length(by_length, _estimates(evaluation)[by_length[0].figure].value)
    return drawn


def _mark(evaluation: Evaluation, slices: Sequence[Slice]) -> Any:
    """Draws the interval of a slice, on the scale of all slices."""
    from bertline.evaluation import charts

    ends = [end for part in slices for end in (part.estimate.low, part.estimate.high)] or [0.0, 1.0]
    overall, scale = _estimates(evaluation), (min(ends), max(ends))
    return lambda name, estimate: charts.interval_mark(name, estimate, overall[name].value, scale)
