"""How two rankers' answers are compared: by the order of a request's texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bertline.statistics.ranking import members
from bertline.tasks.compared import Compared, RowCompared
from bertline.tasks.feedback import DIGITS
from bertline.tasks.rank.answer import Score
from bertline.tasks.rank.spec import Spec
from bertline.text.reading import Input, query_of


def compared(spec: Spec, first: Sequence[Score], second: Sequence[Score]) -> Compared:
    """Rankers agree on texts that follow each other in the first one's order if the second has them in that order.

    A request with one text has nothing to agree on. The shift is the mean difference of the scores.

    >>> compared(Spec(), [Score(0.5, 3, 0), Score(0.25, 3, 0)], [Score(0.5, 3, 0), Score(0.75, 3, 0)])
    Compared(agree=(False,), shift=0.25)
    """
    order = sorted(range(len(first)), key=lambda place: -first[place].score)
    agree = tuple(second[ahead].score >= second[behind].score for ahead, behind in pairwise(order))
    apart = [abs(one.score - other.score) for one, other in zip(first, second, strict=True)]
    return Compared(agree, min(1.0, sum(apart) / len(apart)) if apart else 0.0)


def by_row(spec: Spec, inputs: Sequence[Input], first: Sequence[Score], second: Sequence[Score]) -> list[RowCompared]:
    """Rankers agree on a text that both put in the same place among the texts of its query.

    The shift is the difference of the scores. A text that is alone with its query has nothing to agree on.

    >>> texts, one = [("q", "a"), ("q", "b")], [Score(0.5, 3, 0), Score(0.25, 3, 0)]
    >>> [(row.agree, row.shift) for row in by_row(Spec(), texts, one, [Score(0.5, 3, 0), Score(0.75, 3, 0)])]
    [(False, 0.0), (False, 0.5)]
    """
    queries = [rows.tolist() for rows in members([query_of(one) for one in inputs])]
    places = [_places(queries, answers) for answers in (first, second)]
    alone = {rows[0] for rows in queries if len(rows) == 1}
    return [
        RowCompared(
            round(one.score, DIGITS),
            round(other.score, DIGITS),
            None if row in alone else places[0][row] == places[1][row],
            min(1.0, abs(one.score - other.score)),
        )
        for row, (one, other) in enumerate(zip(first, second, strict=True))
    ]


def _places(queries: Sequence[Sequence[int]], answers: Sequence[Score]) -> dict[int, int]:
    """Of each row, its place among those of its query; equal scores keep their order."""
    orders = [sorted(rows, key=lambda row: -answers[row].score) for rows in queries]
    return {row: place for rows in orders for place, row in enumerate(rows)}
