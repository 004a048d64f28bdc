"""How two rankers' answers are compared: by the order of a request's texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bertline.tasks.compared import Compared
from bertline.tasks.rank.answer import Score
from bertline.tasks.rank.spec import Spec


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
