"""Numbers of an anatomy as JSON has them."""

from __future__ import annotations

from typing import Any

import numpy as np

DIGITS = 6  # after the point, of each number


def plain(value: Any) -> Any:
    """A value as JSON has it; arrays are rounded."""
    if isinstance(value, np.ndarray):
        return np.round(value.astype(np.float64), DIGITS).tolist()
    return round(value, DIGITS) if isinstance(value, float) else value
