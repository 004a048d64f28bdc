"""How two embedders' answers are compared: by how alike they find the texts of a request.

The vectors of two models trained apart have nothing in common, but the cosines between the texts do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bertline.tasks.compared import Compared
from bertline.tasks.contract import Array
from bertline.tasks.embed.answer import Answer
from bertline.tasks.embed.spec import Spec

NEAR = 0.1  # by which two cosines may differ


def compared(spec: Spec, first: Sequence[Answer], second: Sequence[Answer]) -> Compared:
    """Models agree on two neighbouring texts if their cosines differ by at most a tenth; a single text has none.

    >>> compared(Spec(), [Answer((1.0, 0.0), 3, 0), Answer((0.0, 1.0), 3, 0)], [Answer((1.0,), 3, 0)] * 2)
    Compared(agree=(False,), shift=0.5)
    """
    cosines = [[_cosine(*pair) for pair in pairwise(map(_vector, answers))] for answers in (first, second)]
    apart = [abs(one - other) for one, other in zip(*cosines, strict=True)]
    return Compared.of([(one <= NEAR, one / 2) for one in apart])


def _vector(answer: Answer) -> Array:
    return np.array(answer.embedding)


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))
