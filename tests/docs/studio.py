"""Servers with something to see: the demo as ``make demo`` serves it, and its model at work for a week.

The model is fine-tuned on fewer sentences than the demo's own; everything else is the demo's. Its sentences, answers,
labels, checks for drift, verdict and rollout are real ones. Only the moments of the week are made up.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

import bertline
from bertline.bundle import load
from bertline.data.duplicates import normalise
from bertline.lifecycle.drift.run import drift_of_store
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.predictions.checks import add_check
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.store import open_store
from bertline.tasks import task
from examples.loop.server import Server, Workshop, serving
from examples.rotten_tomatoes import imdb_reviews, prepare, sentences
from examples.tables import write_table
from tests.kept import HOUR_MS, keep
from tests.service.spawn import ENVIRONMENT, ROOT

Labelled = tuple[str, str]
SMALL = ("--rows", "800", "--epochs", "2")  # of the demo; the flags are its own
EARLIER_ROWS = 400
FROZEN = 300  # rows that compare the two
STEP_MS, STEPS = 6 * HOUR_MS, 27  # as Watch draws seven days
TEXTS_A_STEP, REVIEWS_FROM = 14, 22  # the last steps have whole reviews in place of sentences
WINDOW = 4  # steps of a check for drift
ANSWERED = 12  # requests by the challenger: fewer than would end its step
CANARY = ("--steps", "shadow,25,50,100", "--min-requests", "40", "--min-step-s", "2", "--least-agreement", "0.4")
CANARY_SHARE = ("--more-errors", "0.05", "--more-slow", "0.5")  # on a machine that does other things too
GATE = ("--margin", "5", "--slice-margin", "15", "--max-slower", "2", "--max-calibration-error", "0.25")


@dataclass(frozen=True)
class Demo:
    """The demo in a directory.

    Attributes:
        directory: what was made there before is not made again.
    """

    directory: Path

    @property
    def bundle(self) -> Path:
        return self.directory / "reviews"

    def make(self) -> None:
        """Its data, model and engines."""
        subprocess.run([*self._command, "--no-serve"], cwd=ROOT, env=ENVIRONMENT, check=True)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Within: the address that ``make demo`` prints; only its port is any free one."""
        environment = {**ENVIRONMENT, "BERTLINE_SERVE_PORT": "0"}
        process = subprocess.Popen(self._command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            line = next(one for one in process.stdout if " at http" in one)
            yield line.split(" at ")[1].split()[0]
        finally:
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "examples.demo", "--directory", str(self.directory), *SMALL]

    @cached_property
    def unseen(self) -> list[Labelled]:
        """Sentences that neither model has learned, in a random order."""
        counts = int(SMALL[1]), EARLIER_ROWS
        learned = {normalise(text) for rows in counts for text, _ in _evenly(sentences(), rows)}
        rest = [one for one in sentences() if normalise(one[0]) not in learned]
        random.Random(0).shuffle(rest)
        return rest


def _evenly(table: list[Labelled], rows: int) -> list[Labelled]:
    """As ``examples.rotten_tomatoes.prepare`` chooses them."""
    return [table[number * len(table) // rows] for number in range(rows)]


@dataclass(frozen=True)
class Week:
    """A model in the registry that was used for a week, and a better one that is rolled out.

    Attributes:
        demo: its model is version 2.
        shop: the registry, the store of bundles and that of predictions.
    """

    demo: Demo
    shop: Workshop

    @property
    def frozen(self) -> Path:
        """Labelled rows that neither model has learned."""
        return self.shop.directory / "frozen.csv"

    @contextmanager
    def served(self) -> Iterator[Server]:
        """Within: the server in the middle of the rollout."""
        earlier = self._earlier()
        self._registered(earlier)
        self._kept(earlier)
        with serving(self.shop, 0, "--follow-every-s", "1") as server:
            self._roll_out(server)
            yield server

    def _earlier(self) -> Path:
        """A model of fewer sentences and one epoch."""
        bundle, table = self.demo.directory / "earlier", self.shop.directory / "earlier.csv"
        if not (bundle / "bertline.json").is_file():
            prepare(table, EARLIER_ROWS)
            flags = ("--model", "all-MiniLM-L6-v2", "--epochs", "1", "--out", bundle, "--overwrite")
            self.shop.run("train", table, *flags)
        return bundle

    def _registered(self, earlier: Path) -> None:
        write_table(self.frozen, self.demo.unseen[:FROZEN])
        self.shop.run("models", "add", earlier, "--name", "reviews")
        self.shop.run("models", "promote", "reviews:1", "--force", "the first version", "--no-watch")
        self.shop.run("models", "add", self.demo.bundle, "--name", "reviews")
        gate = ["gate", "models:/reviews/2", "--champion", "models:/reviews/1", *GATE, "--out", self._verdict]
        command = [sys.executable, "-m", "bertline.cli.main", *map(str, gate), "--data", self.frozen.name]
        # There, so that the verdict, which is shown, names the table without a folder of this machine.
        environment = {**ENVIRONMENT, **self.shop.environment}
        subprocess.run(command, cwd=self.shop.directory, env=environment, check=True)

    @property
    def _verdict(self) -> Path:
        return self.shop.directory / "verdict.json"

    def _kept(self, earlier: Path) -> None:
        """A week of predictions, with labels of two in three, and a check for drift of each day."""
        manifest, model = load(earlier).manifest, bertline.load(str(earlier))
        reviews = random.Random(1).sample(imdb_reviews(), TEXTS_A_STEP * STEPS)
        begin_ms = now_ms() - STEPS * STEP_MS
        with open_store(self.shop.predictions, create=True) as store:
            for step in range(STEPS):
                source = self.demo.unseen[FROZEN:] if step < REVIEWS_FROM else reviews
                some = source[step * TEXTS_A_STEP : (step + 1) * TEXTS_A_STEP]
                answers = model.predict([text for text, _ in some])
                keep(
                    store,
                    [task("classify").feedback.recorded(manifest.task, one) for one in answers],
                    request=f"step-{step}-",
                    digest=manifest.checksum,
                    spec=manifest.task,
                    texts=[text for text, _ in some],
                    at_ms=begin_ms + step * STEP_MS,
                )
                said = [
                    Feedback(f"step-{step}-{place}", label, annotator="Ben")
                    for place, (_, label) in enumerate(some)
                    if place % 3
                ]
                receive(store, said)
                if (step + 1) % WINDOW == 0:
                    begin, end = (begin_ms + (step + 1 - ago) * STEP_MS for ago in (WINDOW, 0))
                    span = datetime.fromtimestamp(begin / 1000, UTC), datetime.fromtimestamp(end / 1000, UTC)
                    found = drift_of_store(earlier, store, "reviews", DriftSettings(), span)
                    add_check(store, replace(found.check("reviews"), at_ms=end))

    def _roll_out(self, server: Server) -> None:
        """Begin the canary, and send requests until it has answered some of them; then it waits for more."""
        promote = ("models", "promote", "reviews:2", "--canary", *CANARY, *CANARY_SHARE, "--by", "ana")
        self.shop.run(*promote, "--verdict", self._verdict)
        with httpx.Client(base_url=server.url, timeout=60) as client:
            deadline_s = time.monotonic() + 300
            for number, (text, label) in enumerate(itertools.cycle(self.demo.unseen[-500:])):
                headers = {"X-Rollout-Key": f"user-{number % 40}"}
                answer = client.post("/v1/predict", json={"text": text}, headers=headers).raise_for_status()
                correct = {"request_id": answer.headers["X-Request-Id"], "correct": label, "annotator": "Ben"}
                if number % 2:
                    client.post("/v1/feedback", json={"items": [correct]}).raise_for_status()
                state: dict[str, Any] = client.get("/v1/models/reviews/rollout").raise_for_status().json()
                if state["place"] == 1 and (state["counts"] or {}).get("challenger_requests", 0) >= ANSWERED:
                    break
                assert time.monotonic() < deadline_s, f"the canary has not begun: {state}"
                time.sleep(0.05)  # for the shadow, which leaves out what would delay the next request
            deadline_s = time.monotonic() + 120
            while len(client.get("/v1/feedback", params={"model": "reviews"}).json()["versions"]) < 2:
                assert time.monotonic() < deadline_s, "no feedback on the challenger"
                time.sleep(1)
