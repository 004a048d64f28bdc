"""Clients that send texts all the time, whose true labels are known, and people who give some of them later."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from examples.loop.rows import Rows
from examples.loop.server import Server

CLIENTS = 100  # whose keys keep each at one version
AT_ONCE = 50  # items of feedback in a request


@dataclass(frozen=True, slots=True)
class Sent:
    """One request and its answer.

    Attributes:
        at_s: when, by the clock of the story.
        request_id: of the answer.
        text: that was sent.
        right: whether the answer was the true label.
        truth: the true label.
        version: of the model that answered.
        seconds: until the answer.
    """

    at_s: float
    request_id: str
    text: str
    right: bool
    truth: str
    version: str
    seconds: float


class Traffic:
    """Sends texts from a thread until it is stopped.

    Args:
        server: that answers.
        rows: to begin with.
        per_second: requests.
    """

    def __init__(self, server: Server, rows: Rows, per_second: float) -> None:
        self._server, self._pause_s = server, 1 / per_second
        self._rows: Iterator[tuple[str, str]] = itertools.cycle(rows)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began_s = time.monotonic()
        self._unlabelled: deque[Sent] = deque()
        self.labelling = False
        self.sent: list[Sent] = []
        self.lost: list[str] = []
        self.labelled = 0

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)

    @property
    def now_s(self) -> float:
        """The clock of the story."""
        return time.monotonic() - self._began_s

    def turn_to(self, rows: Rows) -> None:
        """Send other texts from now on."""
        self._rows = itertools.cycle(rows)

    def wait_for(self, number: int, since: int) -> list[Sent]:
        """The requests since the one of this number, once there are so many."""
        while len(self.sent) - since < number:
            if not self._thread.is_alive():
                raise SystemExit("the traffic has stopped")
            time.sleep(0.2)
        return self.sent[since:]

    def _run(self) -> None:
        for number in itertools.count():
            due_s = self._began_s + number * self._pause_s
            if self._stopped.wait(max(0.0, due_s - time.monotonic())):
                return
            self._one(number)
            if self.labelling and len(self._unlabelled) >= AT_ONCE:
                self._label()

    def _one(self, number: int) -> None:
        text, truth = next(self._rows)
        began_s = time.monotonic()
        try:
            key = {"X-Rollout-Key": f"client-{number % CLIENTS}"}
            answer, headers = self._server.post("/v1/predict", {"texts": [text]}, **key)
        except OSError as error:
            self.lost.append(str(error))
            return
        seconds, label = time.monotonic() - began_s, answer["predictions"][0]["label"]
        one = Sent(
            self.now_s,
            headers["X-Request-Id"],
            text,
            label == truth,
            truth,
            answer["model"]["version"],
            seconds,
        )
        self.sent.append(one)
        if self.labelling:
            self._unlabelled.append(one)

    def _label(self) -> None:
        some = [self._unlabelled.popleft() for _ in range(AT_ONCE)]
        items = [{"request_id": one.request_id, "correct": one.truth, "source": "people"} for one in some]
        try:
            self._server.post("/v1/feedback", {"items": items})
            self.labelled += len(items)
        except OSError as error:
            self.lost.append(f"feedback: {error}")


def accuracy(some: list[Sent]) -> float:
    """Share of right answers."""
    return sum(one.right for one in some) / max(1, len(some))
