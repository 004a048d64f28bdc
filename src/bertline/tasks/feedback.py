"""What the tasks' parts ``feedback`` share: the fault of a correct answer that a model cannot have been given."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from bertline.data.names import canonical

Json = Any  # plain values of JSON
DIGITS = 6  # of a probability that is kept
LONGEST_NAME = 256
_SHOWN = 10


class FeedbackFault(ValueError):
    """A value is no correct answer of the task; the message is the predicate of a sentence, with the remedy."""


def name_in(value: object, places: Mapping[str, int], names: Collection[str], what: str = "label") -> str:
    """The one of ``names`` that a value spells.

    >>> name_in(" Good", {"Good": 0}, ("Good",))
    'Good'

    Raises:
        FeedbackFault: it is none of them.
    """
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str | int) or canonical(shown) not in places:
        several = [*names]
        known = ", ".join(several[:_SHOWN]) + (f" and {len(several) - _SHOWN:,} more" if len(several) > _SHOWN else "")
        raise FeedbackFault(f"is not a {what} of the model: give one of {known}")
    return [*names][places[canonical(shown)]]


def number_in(value: object, what: str, least: float = -math.inf) -> float:
    """A finite number.

    Raises:
        FeedbackFault: it is none, or too small.
    """
    if isinstance(value, str):  # of a table
        try:
            value = float(value)
        except ValueError:
            raise FeedbackFault(f"is not a number: give {what}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FeedbackFault(f"is not a number: give {what}")
    if value < least:
        raise FeedbackFault(f"is below {least:g}: give {what}")
    return float(value)
