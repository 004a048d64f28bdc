"""Where a command writes its report: checked before the work, and claimed during it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertline.destination import check_place, check_room, claim

WHAT = "the report"  # in messages about where it goes


@contextmanager
def report_place(report: Path | None, page: str) -> Iterator[None]:
    """Before the work: can the report be written? Within: no other process writes it.

    Args:
        report: its directory; None for no report.
        page: name of its HTML file.

    Raises:
        UsageError: Jinja is not installed.
        DestinationError: it cannot be written there.
    """
    if report is None:
        yield
        return
    from bertline.evaluation.report import import_jinja

    import_jinja()
    check_place(report, WHAT, inside=True)
    check_room(report / page, WHAT, 0)
    with claim(report / Path(page).stem, WHAT):
        yield
