"""Sections of CHANGELOG.md, in the form of Keep a Changelog."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bertline.errors import UsageError

_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?\s*$", re.MULTILINE)
UNRELEASED = "Unreleased"


@dataclass(frozen=True, slots=True)
class Section:
    """One version's.

    Attributes:
        name: the version, or ``Unreleased``.
        date: as in 2026-11-29; None: there is none.
        text: below the heading.
    """

    name: str
    date: str | None
    text: str


def sections(changelog: str) -> list[Section]:
    r"""All sections, in their order.

    >>> sections("# Log\n\n## [Unreleased]\n\n## [1.0.0] - 2026-01-02\n\n- First.\n")[1]
    Section(name='1.0.0', date='2026-01-02', text='- First.')
    """
    headings = list(_HEADING.finditer(changelog))
    ends = [one.start() for one in headings[1:]] + [len(changelog)]
    return [
        Section(one["name"], one["date"], changelog[one.end() : end].strip())
        for one, end in zip(headings, ends, strict=True)
    ]


def released(changelog: str, version: str) -> Section:
    """The section of a version that is to be released.

    Raises:
        UsageError: there is none, it has no date or no text, or changes are still noted as unreleased.
    """
    known = {one.name: one for one in sections(changelog)}
    section = known.get(version)
    if section is None:
        raise UsageError(
            f"CHANGELOG.md has no section [{version}]: rename [{UNRELEASED}] to [{version}] - YEAR-MONTH-DAY"
        )
    if section.date is None:
        raise UsageError(f"the section [{version}] of CHANGELOG.md has no date: write ## [{version}] - YEAR-MONTH-DAY")
    if not section.text:
        raise UsageError(f"the section [{version}] of CHANGELOG.md is empty: write what changed")
    unreleased = known.get(UNRELEASED)
    if unreleased is not None and unreleased.text:
        raise UsageError(f"CHANGELOG.md has changes under [{UNRELEASED}]: move them to [{version}]")
    return section
