"""Every task that learns is retrained: a tiny champion of each, from a table to a challenger that the gate judged."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertline import tasks
from bertline.bundle.verify import read_manifest
from bertline.lifecycle.retraining.retrainer import Retrainer
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.add import add
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.settings import RegistrySettings
from bertline.tasks import task
from bertline.testing.tiny import WORDS
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.registered import new_registry
from tests.unit.lifecycle.retraining.conftest import NOW, RELAXED

Rows = list[tuple[object, ...]]
QUICK: dict[str, Any] = {"epochs": 1, "patience": 1, "max_tokens": 32, "precision": "fp32", "batch_tokens": 1024}


def words(rng: random.Random, *more: str) -> str:
    some = [*rng.choices(WORDS, k=9), *more]
    rng.shuffle(some)
    return " ".join(some)


def several(rng: random.Random, number: int) -> Rows:
    return [(words(rng, *(["is"] * a), *(["on"] * b)), a, b) for a, b in ((i % 2, i // 2 % 2) for i in range(number))]


def numbers(rng: random.Random, number: int) -> Rows:
    return [(words(rng, *(["is"] * (i % 4))), i % 4) for i in range(number)]


def tagged(rng: random.Random, number: int) -> Rows:
    rows: Rows = []
    for i in range(number):
        text = words(rng)
        rows.append((f"um {text}", json.dumps([[0, 2, "x"]] if i % 3 else [[3, 3 + len(text.split()[0]), "x"]])))
    return rows


def ranked(rng: random.Random, number: int) -> Rows:
    queries = [words(rng) for _ in range(number // 4)]
    return [
        (query, words(rng, query.split()[0]) if j < 2 else words(rng), int(j < 2))
        for query in queries
        for j in range(4)
    ]


def alike(rng: random.Random, number: int) -> Rows:
    return [(f"{key} {words(rng)}", f"{key} {words(rng)}") for key in (words(rng) for _ in range(number))]


TASKS: dict[str, tuple[tuple[str, ...], Callable[[random.Random, int], Rows], dict[str, Any]]] = {
    "several": (("text", "a", "b"), several, {"label_columns": ("a", "b")}),
    "number": (("text", "label"), numbers, {"problem": "number"}),
    "tag": (("text", "entities"), tagged, {"task": "tag"}),
    "rank": (("query", "text", "score"), ranked, {"task": "rank"}),
    "embed": (("text", "text_pair"), alike, {"task": "embed"}),
}
READING = ("label_columns",)


def test_every_task_that_learns_is_here() -> None:
    learned = {name for name in ("classify", "tag", "rank", "embed", "fill") if task(name).learns}
    assert learned == {"classify", *(flags["task"] for _, _, flags in TASKS.values() if "task" in flags)}
    assert tasks.task("fill").learns is False


@pytest.mark.drill
@pytest.mark.parametrize("name", TASKS)
def test_a_model_of_each_task_is_retrained(name: str, model: Path, tmp_path: Path) -> None:
    header, rows, flags = TASKS[name]
    tables = []
    for seed, (stem, number) in enumerate([("rows", 200), ("new", 60), ("frozen", 120)]):
        tables.append(tmp_path / f"{stem}.csv")
        with tables[-1].open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows(random.Random(seed), number)])
    data, new, frozen = map(str, tables)
    settings = TrainSettings(**QUICK, **flags, model=str(model))
    train(data, tmp_path / "champion", settings, Silent())
    registry = RegistrySettings(url=new_registry(tmp_path), store=str(tmp_path / "store"))
    add(tmp_path / "champion", "mine", registry, by="ana")
    with Database(registry.place) as database:
        Deployments(database, "ana").promote(Reference("mine", version=1), reason="first")
    reading = {key: flags[key] for key in READING if key in flags}
    given = {**RELAXED, **reading, "data": (data, new), "frozen": (frozen,), "directory": tmp_path / "runs"}
    retrainer = Retrainer(
        model="mine",
        settings=RetrainSettings(**{**given, "margin": 50.0, "minimum": ()}),
        registry=registry,
        optimizing=OptimizeSettings(),
        progress=Silent(),
        labelled=None,
        by="ana",
        now=lambda: NOW,
    )
    journal = retrainer.once(by_hand=True).journal
    assert journal is not None
    assert journal.outcome in ("challenger", "rejected"), journal.sentence
    assert journal.done["gate"]["decision"] in ("yes", "no", "undecided")
    bundle = retrainer.home.folder(journal) / "bundle" / "mine"
    manifest, champion = read_manifest(bundle), read_manifest(tmp_path / "champion")
    assert manifest.task.model_copy(update={"temperature": 1.0}).names == champion.task.names
    assert type(manifest.task) is type(champion.task)
    assert journal.done["snapshot"]["added"] >= 40
    print(name, journal.outcome, journal.sentence)
