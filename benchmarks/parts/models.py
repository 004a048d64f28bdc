"""The models of the engine benchmark: fine-tuned, distilled and optimized by bertline's own commands, kept in build/.

    python -m benchmarks.parts.models rt r8

What is there already is not made again, and an interrupted step goes on where it stopped.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.parts.tasks import BUILD, IMDB, TASKS
from bertline.bundle import Manifest, writing
from bertline.bundle.reference import ReferenceRows, Split, write_reference
from bertline.data.examples import Example
from bertline.encoder.checkpoint import load_classifier, save_classifier
from bertline.export.exporter import FP32, write_fp32_engine
from bertline.text import Tokenizer
from bertline.training.prepare import prepare
from bertline.training.progress import Silent
from bertline.training.run import train
from examples import rotten_tomatoes
from examples.tables import write_table

BERTLINE = str(Path(sys.executable).with_name("bertline"))
SENTENCES = 30_000
FEED_FORWARD, ATTENTION_HEADS = 512, 6  # of the narrow student; its teacher's are 1,536 and 12
SHORTEST, LONGEST = 4, 60  # words of a sentence that is kept


def sentences() -> Path:
    """A table of sentences of the IMDB reviews, without labels: text of the domain for the Rotten Tomatoes student."""
    table = BUILD / "imdb-sentences.csv"
    if not table.exists():
        found = [
            sentence.strip()
            for text, _ in rotten_tomatoes.imdb_reviews()
            for sentence in re.split(r"(?<=[.!?])\s+", text)
            if SHORTEST <= len(sentence.split()) <= LONGEST
        ]
        write_table(table, ((text, "") for text in random.Random(0).sample(found, SENTENCES)))
    return table


def teacher(key: str, seed: int) -> Path:
    """The fine-tuned bundle of a task, as the accuracy benchmark makes it."""
    out, task = BUILD / f"{key}-{seed}", TASKS[key]()
    if not (out / "bertline.json").exists():
        train(str(task.data), out, task.seeded(seed), Silent(), resume=True)
    return out


def student(key: str, seed: int, layers: int = 3) -> Path:
    """The distilled bundle of a task: its training rows and, for Rotten Tomatoes, the sentences."""
    out = BUILD / f"{key}-student{layers}-{seed}"
    if not (out / "bertline.json").exists():
        flags = ["--layers", str(layers), "--seed", str(seed), "--resume", *_more_text(key)]
        bertline("distill", teacher(key, seed), TASKS[key]().data, "--out", out, *flags)
    return out


def narrow(key: str, seed: int, layers: int = 3) -> Path:
    """The student with narrower layers, distilled a second time with the same texts."""
    out = BUILD / f"{key}-narrow{layers}-{seed}"
    if not (out / "bertline.json").exists():
        width = ["--feed-forward", FEED_FORWARD, "--attention-heads", ATTENTION_HEADS]
        flags = ["--start", student(key, seed, layers), *width, "--seed", seed, "--resume", *_more_text(key)]
        bertline("distill", teacher(key, seed), TASKS[key]().data, "--out", out, *flags)
    return out


def _more_text(key: str) -> list[str]:
    return ["--unlabelled", str(sentences())] if key == "rt" else []


def optimized(key: str, seed: int = 0, *, of: Callable[[str, int], Path] = student) -> Path:
    """A copy of the teacher with every engine that may be used, and the student's or the narrow student's."""
    out = BUILD / f"{key}-optimized-{of.__name__}"
    if not (out / "bertline.json").exists():
        small = of(key, seed)
        made = out.with_name(f".{out.name}")
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(teacher(key, seed), made)
        bertline("optimize", made, "--student", small, "--max-accuracy-drop", 1)
        made.rename(out)
    return out


def imdb() -> Path:
    """The IMDB model of the accuracy benchmark as a bundle that reads 256 tokens, with fp32 and int8 engines."""
    out = BUILD / "imdb-optimized"
    if not (out / "bertline.json").exists():
        TASKS["rt-imdb"]()  # makes the model
        made = out.with_name(f".{out.name}")
        _read_more(BUILD / "imdb", made)
        bertline("optimize", made, "--max-accuracy-drop", 1)
        made.rename(out)
    return out


def _read_more(checkpoint: Path, out: Path, max_tokens: int = 256) -> None:
    """The same weights as a bundle that reads more tokens of a text than they were trained with."""
    write_table(BUILD / "imdb.csv", rotten_tomatoes.imdb_reviews())
    prepared = prepare(str(BUILD / "imdb.csv"), IMDB, Silent())
    classifier, tokenizer = load_classifier(checkpoint), Tokenizer.from_directory(checkpoint)
    labels = prepared.spec.labels
    manifest = Manifest(
        name="imdb",
        labels=labels,
        max_tokens=max_tokens,
        truncation="head",
        pooling="cls",
        temperature=1.0,
        engines=(FP32,),
    )
    with writing(out, manifest, overwrite=True) as staging:
        save_classifier(staging, classifier, labels=labels)
        tokenizer.save(staging, max_tokens=max_tokens)
        write_fp32_engine(staging, classifier)
        kept: dict[Split, Sequence[Example]] = {"validation": prepared.validation, "test": prepared.test}
        for split, rows in kept.items():
            kept_rows = ReferenceRows(tuple(one.text for one in rows), tuple(one.target for one in rows))
            write_reference(staging, split, kept_rows)


def bertline(*arguments: object) -> None:
    """Run a command of ours."""
    subprocess.run([BERTLINE, *map(str, arguments)], check=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        optimized(name)
