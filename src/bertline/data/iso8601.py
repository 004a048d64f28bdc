"""Days and clock readings as ISO 8601, in any year: Python's own dates end at the year 9999 and at microseconds."""

from __future__ import annotations

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY_SECONDS = 86_400
ERA_DAYS, ERA_YEARS = 146_097, 400  # after which the Gregorian calendar repeats
EPOCH = 719_468  # days from 0000-03-01 to 1970-01-01


def day(days: int) -> str:
    """The date so many days after 1970-01-01; years after 9999 have a sign, as in ISO 8601-1:2019, 4.3.

    >>> day(0), day(-1), day(6_585_518), day(-719_529)
    ('1970-01-01', '1969-12-31', '+20000-07-15', '-0001-12-31')
    """
    era, of_era = divmod(days + EPOCH, ERA_DAYS)  # a year here begins in March, so that a leap day is its last
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153
    date = of_year - (153 * month + 2) // 5 + 1
    year = era * ERA_YEARS + year_of_era + (month >= 10)
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    return f"{shown}-{month + 3 if month < 10 else month - 9:02d}-{date:02d}"


def clock(ticks: int, unit: str) -> str:
    """The time of day so many ticks after midnight, with as many decimals as the unit has, or none if they are zero.

    >>> clock(3_661_000_000_001, "ns"), clock(3_661, "s")
    ('01:01:01.000000001', '01:01:01')
    """
    seconds, fraction = divmod(ticks, PER_SECOND[unit])
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}{_fraction(fraction, unit)}"


def moment(ticks: int, unit: str, *, zoned: bool) -> str:
    """The date and time so many ticks after 1970-01-01; with a Z, in UTC, if the column has a time zone.

    >>> moment(-1, "ns", zoned=True)
    '1969-12-31T23:59:59.999999999Z'
    """
    days, of_day = divmod(ticks, DAY_SECONDS * PER_SECOND[unit])
    return f"{day(days)}T{clock(of_day, unit)}{'Z' if zoned else ''}"


def duration(ticks: int, unit: str) -> str:
    """A length of time in seconds, as ISO 8601 has it.

    >>> duration(-90_500, "ms")
    '-PT90.500S'
    """
    seconds, fraction = divmod(abs(ticks), PER_SECOND[unit])
    return f"{'-' if ticks < 0 else ''}PT{seconds}{_fraction(fraction, unit)}S"


def _fraction(ticks: int, unit: str) -> str:
    return f".{ticks:0{len(str(PER_SECOND[unit])) - 1}d}" if ticks else ""
