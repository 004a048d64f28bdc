"""What the engines of each task lose, on test rows by which nothing was chosen.

    make bench ONLY=task_engines

One model is trained for each task with the defaults, but for 64 tokens, and optimized. The engine is chosen on
validation rows; the figures are of the test rows. The tables are made from data sets that install as packages:

- several labels: tweets of WNUT-16, labelled with the types of the entities that they name;
- a number: four sentences of Rotten Tomatoes, with the share of favourable ones;
- pairs: two parts of Reuters R8 stories, from one story or from two on the same topic;
- a ranking: ``examples.reuters_ranking``;
- embeddings: stories of Reuters R52, where those on one topic belong together.

What is constructed shows what an engine loses and not how well a model does such work. One label per text is in
docs/engines.md and entities are in docs/quality.md. Every task's figures are kept in build/benchmarks, so that an
interrupted benchmark goes on where it stopped. Writes docs/task-engines.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import BUILD, EVERY, MODEL
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import reuters, reuters_ranking, rotten_tomatoes, wnut16

PAGE = Path("docs/task-engines.md")
TOKENS = 64
Table = list[Sequence[Any]]  # the header first


@dataclass(frozen=True)
class Kind:
    """A task, its tables, and the settings that it needs beside the defaults."""

    title: str
    tables: Callable[[str], Iterable[Sequence[Any]]]
    settings: dict[str, Any]
    said: str


def several_labels(part: str) -> Table:
    """Tweets with the types of their entities, as a JSON list."""
    rows: Table = [("text", "labels")]
    for number, tweet in enumerate(wnut16.tweets(), 1):
        if (number % wnut16.HELD_OUT == 0) == (part == "test"):
            tagged = [line.rsplit("\t", 1) for line in tweet.splitlines()]
            types = sorted({tag[2:].strip() for _, tag in tagged if tag.strip() != "O"})
            rows.append((" ".join(word for word, _ in tagged), json.dumps(types)))
    return rows


def number(part: str) -> Table:
    """Four sentences each, and the share of favourable ones; a sentence is in one row."""
    own = [
        (text, label == "positive")
        for i, (text, label) in enumerate(rotten_tomatoes.sentences())
        if (i % EVERY == EVERY - 1) == (part == "test")
    ]
    random.Random(0).shuffle(own)
    fours = [own[i : i + 4] for i in range(0, len(own) - 3, 4)]
    return [("text", "score"), *((" ".join(t for t, _ in some), sum(good for _, good in some) / 4) for some in fours)]


def pairs(part: str) -> Table:
    """The first 25 words of a story, and the next 25 of it or of another on its topic."""
    rng = random.Random(0)
    by_topic: dict[str, list[list[str]]] = {}
    for text, topic in reuters.stories(part):
        if len(words := text.split()) >= 50:
            by_topic.setdefault(topic, []).append(words)
    rows: list[Sequence[Any]] = []
    for stories in by_topic.values():
        for story, other in pairwise(stories):
            second, label = (story, "same") if rng.random() < 0.5 else (other, "another")
            rows.append((" ".join(story[:25]), " ".join(second[25:50]), label))
    rng.shuffle(rows)
    return [("text", "second", "label"), *rows[: PAIRS[part]]]


def ranking(part: str) -> Table:
    """Queries with texts on their topic and on others."""
    return [("query", "text", "score"), *reuters_ranking.rows(part, reuters_ranking.QUERIES[part])]


def topics(part: str) -> Table:
    """Stories with their topics, the test split whole."""
    rows = [*reuters.stories(part, 52)]
    random.Random(0).shuffle(rows)
    return [("text", "label"), *(rows[:EMBEDDED] if part == "train" else rows)]


PAIRS, EMBEDDED = {"train": 3_000, "test": 1_000}, 3_000
KINDS = {
    "several": Kind(
        "several labels",
        several_labels,
        {"label_column": "labels", "problem": "several"},
        "types of entities in tweets",
    ),
    "number": Kind(
        "a number", number, {"label_column": "score", "problem": "number"}, "share of favourable sentences among four"
    ),
    "pairs": Kind("pairs", pairs, {"text_pair_column": "second"}, "whether two parts are of one story"),
    "rank": Kind("ranking", ranking, {"task": "rank"}, "stories on the topic of a query"),
    "embed": Kind("embeddings", topics, {"task": "embed"}, "the nearest story is on the same topic"),
}


def measured(key: str) -> dict[str, Any]:
    """Train and optimize one task's model; its engines' figures."""
    kind, paths = KINDS[key], {}
    for part in ("train", "test"):
        paths[part] = BUILD / f"{key}-{part}.csv"
        with paths[part].open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(kind.tables(part))
    out = BUILD / f"engines-{key}"
    shutil.rmtree(out, ignore_errors=True)
    settings = TrainSettings(model=MODEL, eval_data=paths["test"], max_tokens=TOKENS, **kind.settings)
    train(str(paths["train"]), out, settings, Silent(), resume=True)
    optimized = optimize(out, OptimizeSettings(), lambda _: None)
    engines = {
        name: {
            "value": found.value,
            "difference": asdict(found.difference),
            "refused": name in optimized.refused,
            "texts_per_s": optimized.measured[name].speed.texts_per_s,
            "megabytes": optimized.measured[name].megabytes,
        }
        for name, found in optimized.reported.items()
    }
    score = next(iter(optimized.reported.values())).score
    return {"score": score, "picked": optimized.picked, "engines": engines, "machine": describe()}


def page(found: dict[str, dict[str, Any]]) -> str:
    """The page of all tasks measured so far."""
    machines = sorted({one["machine"] for one in found.values()})
    lines = [
        "# Engines of the other tasks\n",
        f"What the engines of each task lose against fp32 on test rows, with 95 % intervals of the paired difference. "
        f"One model each: all-MiniLM-L6-v2, `train --max-tokens {TOKENS}`, seed 0, then `optimize`, which picks by "
        f"validation rows. The tables are made of data sets that install as packages, and mostly constructed: they "
        f"show what an engine loses, and not how well a model does such work. One label per text is in "
        f"[Engines](engines.md), entities in [Quality](quality.md). Speeds are of engines side by side in one run. "
        f"Measured on {date.today()} with `make bench ONLY=task_engines`, {'; '.join(machines)}.\n",
        "| task | score | engine | on the test rows | against fp32, points (95 %) | texts/s | MB |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for key, one in found.items():
        for name, engine in one["engines"].items():
            first = name == next(iter(one["engines"]))
            value, low, high = (100 * engine["difference"][part] for part in ("value", "low", "high"))
            cells = [
                f"{KINDS[key].title}: {KINDS[key].said}" if first else "",
                one["score"] if first else "",
                name + ", picked" * (name == one["picked"]) + ", refused by the probes" * engine["refused"],
                f"{100 * engine['value']:.2f}",
                "" if first else f"{value:+.2f} ({low:+.2f} to {high:+.2f})",
                f"{engine['texts_per_s']:,.0f}",
                f"{engine['megabytes']:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(KINDS))
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    found = {}
    for key in KINDS:
        path = BUILD / f"engines-{key}.json"
        if not path.exists() and arguments.only in (None, key):
            print(f"running {key}", flush=True)
            path.write_text(json.dumps(measured(key)))
        if path.exists():
            found[key] = json.loads(path.read_text())
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
