"""``drift.html``, one page that needs nothing else, and ``drift.json`` with the same findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bertline.destination import replace_file
from bertline.evaluation.report import page_template
from bertline.lifecycle.drift import wording
from bertline.lifecycle.drift.found import Test
from bertline.lifecycle.drift.pictures import distributions_picture, shares_picture
from bertline.lifecycle.drift.run import TableDrift

CHANGES_SHOWN = 12
PICTURED = 4  # of them


def write_drift(directory: Path, found: TableDrift, *, title: str) -> Path:
    """Write both files into ``directory``, created if missing; return the page's path.

    Raises:
        UsageError: Jinja is not installed.
        OSError: the files cannot be written.
    """
    page = render(found, title=title)
    record = {"title": title, "source": found.source, **found.drift.to_json(), "notes": list(found.notes)}
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    replace_file(directory / "drift.json", text.encode())
    replace_file(directory / "drift.html", page.encode())
    return directory / "drift.html"


def render(found: TableDrift, *, title: str) -> str:
    """The page as text.

    Raises:
        UsageError: Jinja is not installed.
    """
    drift = found.drift
    page: str = page_template("drift.html.jinja", "lifecycle/drift", "evaluation").render(
        title=title,
        found=found,
        drift=drift,
        headline=wording.headline(drift),
        meaning=wording.meaning(drift),
        accuracy=list(wording.accuracy_words(drift)),
        labelled=list(wording.labelled_words(drift)),
        tests=[_row(test, drift.level) for test in drift.tests],
        changed=[(test, test.changes[:CHANGES_SHOWN]) for test in drift.tests if test.changes],
        pictured=PICTURED,
        distributions=distributions_picture,
        words=wording,
        shares=None if drift.prior is None or drift.kind == "texts" else shares_picture(drift.prior),
    )
    return page


def _row(test: Test, level: float) -> dict[str, Any]:
    return {
        "name": test.name,
        "words": wording.test_words(test),
        "p": wording.p_words(test.adjusted),
        "alone": wording.p_words(test.p),
        "changed": test.adjusted <= level,
        "size": wording.size_words(test, level),
    }
