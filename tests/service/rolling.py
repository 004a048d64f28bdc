"""A real registry with versions of tiny bundles, and clients that check every answer against the version it names."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

import bertline
from bertline.bundle import load
from bertline.registry.add import add
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollout import Rollout
from bertline.registry.rollouts import Rollouts
from bertline.registry.settings import RegistrySettings
from bertline.testing.tiny import random_texts, write_tiny_bundle

TEXTS = random_texts(12, seed=3)
GOOD, BAD = 2, 3  # versions: as the champion in all its answers, and one with other weights
PAUSE_S = 0.01  # of a client after each answer, so that servers can start beside them
PLAN = {
    "min_requests": 40, "min_step_s": 1.0, "watch_s": 4.0, "more_errors": 0.1, "more_slow": 0.5, "compare": 0.5,
}  # fmt: skip


class Registry:
    """A registry whose ``films:1`` is the champion; ``films:2`` answers as it does, ``films:3`` otherwise."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.settings = RegistrySettings(url=url, store=str(directory / "store"))
        self.expected: dict[str, dict[str, Any]] = {}
        self.versions: dict[int, str] = {}
        for number, seed in enumerate((1, 1, 7), 1):
            bundle = directory / f"films-{number}"
            write_tiny_bundle(bundle, engine=True, seed=seed, name=f"films-{number}")
            assert self.add(bundle) == number
        self.promote(1, watch=False)

    def add(self, bundle: Path, texts: Sequence[str] = TEXTS) -> int:
        """Add a version, and note its answers to the texts that clients send."""
        number = add(bundle, "films", self.settings, by="ana").version.version
        self.versions[number] = load(bundle).version
        answers = zip(texts, bertline.load(bundle).predict(texts), strict=True)
        self.expected[self.versions[number]] = {text: answer.to_json() for text, answer in answers}
        return number

    def promote(self, version: int, *, watch: bool = True) -> None:
        with Database(self.settings.place) as database:
            plan = {"least_agreement": 0.9, "compare": 1.0} if watch else None
            Deployments(database, "ana").promote(Reference("films", version=version), reason="by hand", watch=plan)

    def begin(self, version: int, *steps: str, **plan: float) -> None:
        with Database(self.settings.place) as database:
            rollouts = Rollouts(database, "ana")
            rollouts.begin(Reference("films", version=version), steps, PLAN | plan, reason="a drill")

    def last(self) -> Rollout:
        with Database(self.settings.place) as database:
            last = Rollouts(database).last("films")
        assert last is not None
        return last

    def champion(self) -> int:
        with Database(self.settings.place) as database:
            return Deployments(database, "x").current("films", "champion")

    def until(self, status: str, limit_s: float = 120, place: int | None = None) -> Rollout:
        """Wait for a rollout's status, and step."""
        deadline_s = time.monotonic() + limit_s
        while (last := self.last()).status != status or (place is not None and last.place != place):
            assert time.monotonic() < deadline_s, last
            time.sleep(0.1)
        return last

    def log(self) -> list[tuple[str, str, int | None]]:
        """Who moved which alias to what, once the log is seen to be whole."""
        with Database(self.settings.place) as database:
            deployments = Deployments(database, "x")
            assert deployments.faults() == []
            return [(one.by, one.alias, one.to_version) for one in deployments.entries()]


class Traffic:
    """Clients of some servers; leaving the block stops them. A request is lost that is not answered with 200.

    Attributes:
        answered: by the version that the answer names.
        lost: what was answered instead.
        mixed: answers that are not those of the version that they name.
        correct: when an answer came, its request's id, and the label that the first version gives.
    """

    def __init__(self, registry: Registry, urls: list[str], clients: int = 4, *, tolerant: bool = False) -> None:
        self.answered: Counter[str] = Counter()
        self.lost: list[str] = []
        self.mixed: list[str] = []
        self.sticky: dict[str, list[str]] = {}
        self.correct: deque[tuple[float, str, str]] = deque()
        self._registry, self._urls, self._tolerant = registry, urls, tolerant
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Traffic:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stopping.set()
        for one in self._threads:
            one.join()

    def _run(self, number: int) -> None:
        asked = number
        with httpx.Client(timeout=60) as client:
            while not self._stopping.wait(PAUSE_S):
                asked += len(self._threads)
                key = f"user-{asked % 97}"
                try:
                    answer = client.post(
                        f"{self._urls[asked % len(self._urls)]}/v1/predict",
                        json={"text": TEXTS[asked % len(TEXTS)]},
                        headers={"X-Rollout-Key": key},
                    )
                except httpx.HTTPError as error:  # a server was killed
                    if not self._tolerant:
                        self.lost.append(type(error).__name__)
                    time.sleep(0.05)
                    continue
                self._check(TEXTS[asked % len(TEXTS)], key, answer)

    def _check(self, text: str, key: str, answer: httpx.Response) -> None:
        if answer.status_code != 200:
            self.lost.append(answer.text)
            return
        body, version = answer.json(), answer.headers["X-Model-Version"]
        self.answered[version] += 1
        best = self._registry.expected[self._registry.versions[1]][text]["label"]
        self.correct.append((time.monotonic(), answer.headers["X-Request-Id"], best))
        seen = self.sticky.setdefault(key, [])
        if seen[-1:] != [version]:
            seen.append(version)
        wanted, (given,) = self._registry.expected[version][text], body["predictions"]
        pairs = zip(wanted["probabilities"], given["probabilities"], strict=True)
        near = all(abs(one["probability"] - other["probability"]) < 1e-3 for one, other in pairs)
        if body["model"]["version"] != version or given["label"] != wanted["label"] or not near:
            self.mixed.append(answer.text)

    def judge(self, url: str) -> None:
        """Send feedback on answers that are a second old: correct is what the first version says."""
        with httpx.Client(timeout=60) as client:
            while not self._stopping.wait(0.2):
                items = []
                while self.correct and time.monotonic() - self.correct[0][0] > 1 and len(items) < 100:
                    _, request_id, label = self.correct.popleft()
                    items.append({"request_id": request_id, "correct": label})
                if items:
                    client.post(f"{url}/v1/feedback", json={"items": items}).raise_for_status()
