"""How two embedders' answers are compared: by how alike they find the texts of a request.

The vectors of two models trained apart have nothing in common, but the cosines between the texts do, and so do their
neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bertline.statistics.activation import normalised
from bertline.statistics.vectors.neighbours import nearest
from bertline.tasks.compared import Compared, RowCompared
from bertline.tasks.contract import Array
from bertline.tasks.embed.answer import Answer
from bertline.tasks.embed.spec import Spec
from bertline.text.reading import Input

NEAR = 0.1  # by which two cosines may differ
NEIGHBOURS = 5  # of a row of a table


def compared(spec: Spec, first: Sequence[Answer], second: Sequence[Answer]) -> Compared:
    """Models agree on two neighbouring texts if their cosines differ by at most a tenth; a single text has none.

    >>> compared(Spec(), [Answer((1.0, 0.0), 3, 0), Answer((0.0, 1.0), 3, 0)], [Answer((1.0,), 3, 0)] * 2)
    Compared(agree=(False,), shift=0.5)
    """
    cosines = [[_cosine(*pair) for pair in pairwise(map(_vector, answers))] for answers in (first, second)]
    apart = [abs(one - other) for one, other in zip(*cosines, strict=True)]
    return Compared.of([(one <= NEAR, one / 2) for one in apart])


def by_row(spec: Spec, inputs: Sequence[Input], first: Sequence[Answer], second: Sequence[Answer]) -> list[RowCompared]:
    """Models agree on a text if the same other text of the table is nearest to it; the answer is that row's number.

    The shift is the share of its five nearest texts that the two do not have in common.

    >>> one, other = ([Answer(vector, 3, 0) for vector in some] for some in (
    ...     [(1.0, 0.0), (0.9, 0.1), (0.0, 1.0)], [(1.0, 0.0), (0.0, 1.0), (0.9, 0.1)]))
    >>> by_row(Spec(), ["a", "b", "c"], one, other)[0]
    RowCompared(first=1, second=2, agree=False, shift=0.0)
    """
    near = [_neighbours(answers) for answers in (first, second)]
    return [
        RowCompared(one[0], other[0], one[0] == other[0], 1 - len({*one} & {*other}) / len(one))
        if one
        else RowCompared(None, None, None, 0.0)
        for one, other in zip(*near, strict=True)
    ]


def _neighbours(answers: Sequence[Answer]) -> list[list[int]]:
    """The nearest other rows of each row."""
    units = normalised(np.array([one.embedding for one in answers], dtype=np.float32))
    found = nearest(units, units, NEIGHBOURS + 1).rows.tolist()
    return [[other for other in near if other != row][:NEIGHBOURS] for row, near in enumerate(found)]


def _vector(answer: Answer) -> Array:
    return np.array(answer.embedding)


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))
