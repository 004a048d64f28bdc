"""Clients of a stack: so many requests in flight, each answer kept with its time and version."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SAME = 1e-4  # a batch's other texts change the last digits of a probability


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer.

    Attributes:
        began_s: monotonic clock.
        seconds: until it was there.
        status: of HTTP; 0 if there was none.
        version: of the model that answered.
        text: number of the text.
        label: answered, or the code of the error.
        probability: of the label.
    """

    began_s: float
    seconds: float
    status: int
    version: str
    text: int
    label: str
    probability: float


@dataclass
class Clients:
    """What the clients got.

    Attributes:
        answers: in the order in which they came.
        errors: of requests without an answer.
    """

    answers: list[Answered] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopping: bool = False

    @property
    def lost(self) -> int:
        """Requests without a prediction."""
        return len(self.errors) + sum(one.status != 200 for one in self.answers)

    def refusals(self) -> Counter[tuple[int, str]]:
        """How many requests got each error."""
        return Counter((one.status, one.label) for one in self.answers if one.status != 200)

    def until(self, number: int) -> None:
        """Return once there are so many answers."""
        deadline_s = time.monotonic() + 120
        while len(self.answers) < number:
            assert time.monotonic() < deadline_s, self.errors
            time.sleep(0.01)

    def between(self, began_s: float, ended_s: float) -> list[Answered]:
        """Answers to requests that were sent within a period."""
        return [one for one in self.answers if began_s <= one.began_s < ended_s]

    def mixed(self) -> int:
        """Answers that differ from the first one of their version to the same text: not of one model alone."""
        first: dict[tuple[str, int], Answered] = {}
        different = 0
        for one in self.answers:
            if one.status == 200:
                other = first.setdefault((one.version, one.text), one)
                different += one.label != other.label or abs(one.probability - other.probability) > SAME
        return different


def percentile_ms(answers: Sequence[Answered], percent: float) -> float:
    """Of the times until an answer, in milliseconds."""
    ordered = sorted(one.seconds for one in answers)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@contextmanager
def clients(
    url: str, authority: Path | None, key: str | None, texts: Sequence[str], in_flight: int
) -> Iterator[Clients]:
    """Each of ``in_flight`` clients sends one request after the other during the block, on a connection of its own."""
    result = Clients()
    bodies = [json.dumps({"text": text}).encode() for text in texts]
    threads = [
        threading.Thread(target=_client, args=(result, url, authority, key, bodies, place))
        for place in range(in_flight)
    ]
    for one in threads:
        one.start()
    try:
        yield result
    finally:
        result.stopping = True
        for one in threads:
            one.join(120)
    assert not any(one.is_alive() for one in threads)


def _client(
    result: Clients, url: str, authority: Path | None, key: str | None, bodies: Sequence[bytes], place: int
) -> None:
    parts, turn = urlsplit(url), place
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    while not result.stopping:
        connection = _connected(parts.hostname or "", parts.port or 0, authority)
        try:
            while not result.stopping:
                began_s, text = time.monotonic(), turn % len(bodies)
                connection.request("POST", "/v1/predict", bodies[text], headers)
                response = connection.getresponse()
                content = response.read()
                turn += 1
                best = _prediction(response.status, content)
                result.answers.append(
                    Answered(
                        began_s,
                        time.monotonic() - began_s,
                        response.status,
                        response.headers.get("X-Model-Version", ""),
                        text,
                        best["label"],
                        best["probabilities"][0]["probability"],
                    )
                )
                if response.will_close:
                    break
        except (OSError, http.client.HTTPException) as error:
            result.errors.append(repr(error))
        finally:
            connection.close()


def _prediction(status: int, content: bytes) -> Any:
    if status == 200:
        return json.loads(content)["predictions"][0]
    is_json = content.startswith(b"{")  # else it is nginx's
    code = json.loads(content)["error"]["code"] if is_json else "nginx"
    return {"label": code, "probabilities": [{"probability": 0.0}]}


def _connected(host: str, port: int, authority: Path | None) -> http.client.HTTPConnection:
    if authority is None:
        return http.client.HTTPConnection(host, port, timeout=60)
    return http.client.HTTPSConnection(host, port, timeout=60, context=ssl.create_default_context(cafile=authority))
