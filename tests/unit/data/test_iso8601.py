"""Dates in any year: equal to Python's where Python has them, and to NumPy's elsewhere."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.data import iso8601

EPOCH = datetime.date(1970, 1, 1)


@given(date=st.dates())
def test_days_equal_pythons(date: datetime.date) -> None:
    assert iso8601.day((date - EPOCH).days) == date.isoformat()


@given(days=st.integers(3_000_000, 2**31 - 1) | st.integers(-(2**31), -800_000))
def test_other_days_equal_numpys(days: int) -> None:
    """T10: NumPy writes no plus, and three digits for the years before year 0."""
    year, month, date = str(np.datetime64(days, "D")).rsplit("-", 2)
    shown, *rest = iso8601.day(days).rsplit("-", 2)
    assert (int(shown), rest) == (int(year), [month, date])
    assert (shown[0] in "+-") == (not 0 <= int(year) <= 9999)
    assert len(shown.lstrip("+-")) >= 4


@given(moment=st.datetimes())
def test_moments_equal_pythons(moment: datetime.datetime) -> None:
    ticks = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    assert iso8601.moment(ticks, "us", zoned=False) == moment.isoformat()


@pytest.mark.parametrize(
    ("ticks", "unit", "text"),
    [(0, "s", "PT0S"), (-1, "ns", "-PT0.000000001S"), (86_400_000, "ms", "PT86400S"), (1_500, "ms", "PT1.500S")],
)
def test_durations(ticks: int, unit: str, text: str) -> None:
    assert iso8601.duration(ticks, unit) == text
