"""Parameters of which some run in ``make test`` and all in ``make drill``."""

from collections.abc import Iterable
from typing import Any

import pytest


def mostly_nightly(values: Iterable[Any], *, always: int) -> list[Any]:
    """The first ``always`` of the values run every time, the others in the drill only."""
    return [
        value if place < always else pytest.param(*_arguments(value), marks=pytest.mark.drill)
        for place, value in enumerate(values)
    ]


def _arguments(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
