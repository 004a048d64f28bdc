"""From end to end: a real server answers, feedback says that it is right less often, ``retrain`` makes a challenger."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from bertline.inference import TextClassifier, load_predictor
from bertline.lifecycle.predictions.accuracy_checks import latest_accuracy_checks
from bertline.lifecycle.predictions.store import open_store
from bertline.registry.reference import Reference
from bertline.registry.resolve import locate, look_up
from tests.service.spawn import COMMAND, ENVIRONMENT, Spawned, spawned
from tests.unit.lifecycle.retraining.conftest import World
from tests.unit.training.conftest import sentences

EACH = 80  # texts of a call
Rows = list[tuple[str, str]]


def changed(rows: int, seed: int, champion: TextClassifier) -> Rows:
    """Texts of a new source, of which the champion says the wrong thing nine times in ten."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices("vwxzbcdfghjkl", k=rng.randint(8, 14))) for _ in range(rows)]
    other = {"good": "bad", "bad": "good"}
    said = [one.label for one in champion.predict(texts)]
    return [(text, other[one] if rng.random() < 0.9 else one) for text, one in zip(texts, said, strict=True)]


def judged(server: Spawned, name: str, rows: Rows) -> float:
    """Send texts, and then feedback on the answers, in another order; the share of right answers."""
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    right = 0
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for place in range(0, len(rows), EACH):
            request = f"{name}-{place}"
            body = {"texts": texts[place : place + EACH]}
            answer = client.post("/v1/predict", json=body, headers={"X-Request-Id": request})
            assert answer.status_code == 200, answer.text
            said = [one["label"] for one in answer.json()["predictions"]]
            right += sum(one == label for one, label in zip(said, labels[place:], strict=False))
            items = [{"request_id": request, "index": n, "correct": labels[place + n]} for n in range(len(said))]
            random.Random(place).shuffle(items)
            counted(client, items)
    return right / len(rows)


def counted(client: httpx.Client, items: list[dict[str, Any]]) -> None:
    """Send feedback until all of it counts: answers are written behind their response."""
    deadline_s = time.monotonic() + 120
    while True:
        given = client.post("/v1/feedback", json={"items": items})
        assert given.status_code == 200, given.text
        if "unknown" not in given.json()["counts"]:
            return
        assert time.monotonic() < deadline_s, given.text
        time.sleep(0.5)


def retrain(world: World, store: str, *more: str) -> Any:
    """``bertline retrain`` as a process of its own; what it prints."""
    relaxed = {"max-calibration-error": "1", "max-slower": "50", "max-larger": "50", "timed-texts": "10"}
    points = {"margin": "40", "slice-margin": "90", "min-agreement": "0.5"}
    flags = [part for name, value in {**relaxed, **points}.items() for part in (f"--{name}", value)]
    command = [
        *(sys.executable, "-c", COMMAND, "retrain", "films", "--json", "--registry", world.registry.place),
        *("--store", str(world.registry.store), "--directory", str(world.folder / "retraining")),
        *("--data", str(world.table), "--frozen", str(world.frozen), "--feedback", store, "--accuracy", store),
        *(*flags, *more),
    ]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answers(world: World, alias: str, rows: Rows) -> float:
    """The share of right answers of the version with an alias."""
    located = locate(look_up(Reference("films", alias=alias), world.registry))
    said = load_predictor(located.path).predict([text for text, _ in rows])
    return sum(one.label == label for one, (_, label) in zip(said, rows, strict=True)) / len(rows)


def until_shown(server: Spawned, line: str) -> None:
    """Wait until the metrics have a line."""
    deadline_s = time.monotonic() + 180
    while line not in httpx.get(f"{server.url}/metrics", timeout=60).text:
        assert time.monotonic() < deadline_s, line
        time.sleep(1)


@pytest.mark.drill
def test_a_drop_of_accuracy_ends_with_a_challenger_that_knows_the_new_texts(world: World) -> None:
    store = f"sqlite:///{world.folder / 'predictions.db'}"
    champion = look_up(Reference("films", alias="champion"), world.registry)
    predictor = load_predictor(locate(champion).path)
    flags = ("--registry", world.registry.place, "--predictions-url", store, "--predictions-text")
    with spawned("models:/films@champion", *flags) as server:
        usual = judged(server, "usual", sentences(4 * EACH, seed=11))
        calm = retrain(world, store)
        assert calm["run"] is None, calm
        dropped = judged(server, "dropped", changed(4 * EACH, 12, predictor))
        assert dropped < usual - 0.2, (usual, dropped)
        first = retrain(world, store)
        assert first["run"] is None, first  # found once of twice in a row
        judged(server, "more", changed(2 * EACH, 13, predictor))
        second = retrain(world, store)
        until_shown(server, f'bertline_accuracy_dropped{{model="films",version="{str(champion.digest)[:12]}"}} 1.0')
        tested = httpx.get(f"{server.url}/v1/feedback", timeout=60).json()["tested"]
    assert second["run"]["outcome"] == "challenger", second
    assert any("accuracy fell" in one for one in second["run"]["because"]), second
    assert (tested["dropped"], tested["labels"]) == (True, 10 * EACH)
    with open_store(store) as opened:
        [check] = latest_accuracy_checks(opened)
    assert check.dropped
    assert check.since_ms is not None
    new = changed(2 * EACH, 14, predictor)  # nobody has seen them
    assert answers(world, "challenger", new) > answers(world, "champion", new) + 0.1
    assert look_up(Reference("films", alias="champion"), world.registry).digest == champion.digest
