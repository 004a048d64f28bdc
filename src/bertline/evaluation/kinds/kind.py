"""One entry of the table of kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bertline.statistics.figures import INTERVAL, figure


def _headline(evaluation: Any) -> str:
    (name, estimate), *_ = evaluation.headline()
    value, interval = figure(name, estimate)
    return f"{name[:1].upper()}{name[1:]} {value} on {evaluation.rows:,} texts ({INTERVAL} {interval})."


@dataclass(frozen=True, slots=True)
class Kind:
    """The contents of a report for one kind of evaluation.

    Attributes:
        template: its own sections, the terms to explain, and ``meanings`` of the headline figures to show by name;
            without those, all figures are shown.
        lead: the report's first sentence.
        reached: phrase for a baseline's score, with a placeholder.
        compared: names of the figures that are shown of a baseline where the evaluation has them, the score first.
        context: what the template takes beside the evaluation: sentences and pictures.
        collapse: the warning about a model that answers every text alike; None for any other model.
        unknown: the note about labels that the named model does not know; None if there are none.
    """

    template: str
    lead: Callable[[Any], str] = _headline
    reached: str = "has a score of {}"
    compared: Sequence[str] = ()
    context: Callable[[Any], dict[str, Any]] = lambda _: {}
    collapse: Callable[[Any], str | None] = lambda _: None
    unknown: Callable[[Any, str], str | None] = lambda *_: None


def rows_of(rows: int) -> str:
    """The beginning of a sentence about rows.

    >>> rows_of(1), rows_of(1200)
    ('1 row is', '1,200 rows are')
    """
    return "1 row is" if rows == 1 else f"{rows:,} rows are"
