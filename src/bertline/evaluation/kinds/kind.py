"""One entry of the table of kinds, and the sentences that several kinds share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertline.statistics.figures import figure

SHOWN = 8  # names in a sentence

INTERVALS = (
    "95 % intervals",
    "What the figure may be on endlessly many texts of the same kind: 19 in 20 such intervals hold it. They say "
    "nothing about another training run or other data. ",
)


def _headline(evaluation: Any) -> str:
    (name, estimate), *_ = evaluation.headline()
    value, interval = figure(name, estimate)
    return f"{name[:1].upper()}{name[1:]} {value} on {evaluation.rows:,} texts (95 % interval {interval})."


def _nothing(evaluation: Any) -> dict[str, Any]:
    return {}


def _none(evaluation: Any) -> None:
    return None


def _nobody(evaluation: Any, model: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """The contents of a report for one kind of evaluation.

    Attributes:
        template: of the sections of its own.
        lead: the report's first sentence.
        reached: phrase for a baseline's score, with a placeholder.
        compared: names of the figures that are shown of a baseline, the score first.
        meanings: of the headline figures that are shown at the top, by name; where it has none, all are shown.
        terms: how to read the figures.
        context: what the template takes beside the evaluation: sentences and pictures.
        collapse: the warning about a model that answers every text alike; None for any other model.
        unknown: the note about labels that the named model does not know; None if there are none.
    """

    template: str
    lead: Callable[[Any], str] = _headline
    reached: str = "has a score of {}"
    compared: Sequence[str] = ()
    meanings: Callable[[Any], Mapping[str, str]] = _nothing
    terms: Sequence[tuple[str, str]] = (INTERVALS,)
    context: Callable[[Any], dict[str, Any]] = _nothing
    collapse: Callable[[Any], str | None] = _none
    unknown: Callable[[Any, str], str | None] = _nobody


def rows_of(rows: int) -> str:
    """The beginning of a sentence about rows.

    >>> rows_of(1), rows_of(1200)
    ('1 row is', '1,200 rows are')
    """
    return "1 row is" if rows == 1 else f"{rows:,} rows are"


def absent_note(absent: Sequence[str], rows: str = "row") -> str:
    """Which labels could not be evaluated; empty where all could."""
    if not absent:
        return ""
    names = ", ".join(f"“{name}”" for name in absent[:SHOWN])
    names += f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
    them = "it" if len(absent) == 1 else "them"
    return f"No {rows} has the label {names}: how well the model finds {them} cannot be evaluated here."
