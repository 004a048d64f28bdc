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
from bertline.statistics.as_json import as_json
from bertline.statistics.intervals import Estimate
from bertline.statistics.slices import Slice
from bertline.tasks.contract import Evaluation
from bertline.tasks.history import EpochRecord

FOLDER, RECORD = "report", "report.json"  # in a bundle; the page's figures as JSON
OF_REPORT = {"title", "baselines", "history", "facts", "settings"}  # in RECORD beside the evaluation
# Of ``statistics.figures``, for the templates.
FILTERS = (
    "percent",
    "percent_range",
    "rate",
    "plain",
    "exact",
    "figure",
    "title",
    "difference",
    "difference_range",
    "p_value",
)

Pairs = Sequence[tuple[str, str]]
Estimates = Mapping[str, Estimate]  # the overall figures by name


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
    record = {"title": title, **evaluation.to_json(), "baselines": baselines, "history": history}
    record = as_json(record | {"facts": facts, "settings": settings})
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    replace_file(directory / RECORD, text.encode())
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
    estimates = {name: Estimate(**figure) for name, figure in evaluation.metrics().items()}
    pictures = context.pop("pictures", {}) | _pictures(estimates, by_length, history, baselines)
    page: str = template.render(
        title=title,
        evaluation=evaluation,
        estimates=estimates,
        history=history,
        baselines=baselines,
        by_length=by_length,
        slices=slices,
        facts=facts,
        settings=settings,
        verdict=verdict(evaluation, baselines),
        pictures=pictures,
        mark=_mark(estimates, [*by_length, *(part for rows in slices.values() for part in rows)]),
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
    environment.filters |= {name: getattr(figures, name) for name in FILTERS}
    environment.filters["capital"] = lambda name: name[:1].upper() + name[1:]
    return environment.get_template(name)


def _pictures(
    estimates: Estimates, by_length: Sequence[Slice], history: Sequence[EpochRecord], baselines: Sequence[Baseline]
) -> dict[str, str]:
    from bertline.evaluation import charts

    drawn: dict[str, str] = {}
    if history:
        drawn["loss"] = charts.loss_curves(history)
        if history[0].figures:
            drawn["figure"] = charts.figure_curve(history)
    if baselines:
        name = baselines[0].figure
        compared = [("Encoder", estimates[name]), *((baseline.name, baseline.score) for baseline in baselines)]
        drawn["baselines"] = charts.bars(name, compared)
    if by_length:
        drawn["length"] = charts.by_length(by_length, estimates[by_length[0].figure].value)
    return drawn


def _mark(estimates: Estimates, slices: Sequence[Slice]) -> Any:
    """Draws the interval of a slice, on the scale of all slices."""
    from bertline.evaluation import charts

    ends = [end for part in slices for end in (part.estimate.low, part.estimate.high)] or [0.0, 1.0]
    scale = min(ends), max(ends)
    return lambda name, estimate: charts.interval_mark(name, estimate, estimates[name].value, scale)
