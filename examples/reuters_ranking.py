"""Reuters R8 as a ranking: for the first words of a story, other stories on the same topic among stories on others.

    python -m examples.reuters_ranking build/reuters
    cd build/reuters
    bertline train ranking-train.csv --task rank --eval-data ranking-test.csv --max-tokens 48 --out ranker

The table is constructed from topic labels. Nobody judged whether a story answers a query, so its figures say how well
a model puts the right topic first, and not how well it searches. Queries and texts of the test table are from the
official test split; topics come up equally often.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from examples.reuters import stories

QUERIES = {"train": 200, "test": 100}
WORDS = 10  # of a story, its headline and a little more, are the query
RELEVANT, OTHERS = 2, 6  # texts of each query


def rows(part: str, queries: int, seed: int = 0) -> Iterator[tuple[str, str, int]]:
    """Query, text and 1 if the text has the query's topic, else 0; the texts of a query in random order."""
    rng = random.Random(seed)
    by_topic: dict[str, list[str]] = {}
    for text, topic in stories(part):
        by_topic.setdefault(topic, []).append(text)
    for some in by_topic.values():
        rng.shuffle(some)
    for topic in islice(cycle(by_topic), queries):
        own = by_topic[topic]
        own.append(own.pop(0))
        relevant = rng.sample(own[:-1], RELEVANT)
        others = rng.choices([one for one in by_topic if one != topic], k=OTHERS)
        texts = [*((text, 1) for text in relevant), *((rng.choice(by_topic[other]), 0) for other in others)]
        rng.shuffle(texts)
        for text, score in texts:
            yield " ".join(own[-1].split()[:WORDS]), text, score


def prepare(directory: Path) -> dict[str, int]:
    """Write ``ranking-train.csv`` and ``ranking-test.csv``, columns query, text and score; return their rows."""
    directory.mkdir(parents=True, exist_ok=True)
    counts = {}
    for part, queries in QUERIES.items():
        table = [*rows(part, queries)]
        with (directory / f"ranking-{part}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("query", "text", "score"), *table])
        counts[part] = len(table)
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    for part, count in prepare(arguments.directory).items():
        print(f"{count:,} rows in {arguments.directory / f'ranking-{part}.csv'}")
