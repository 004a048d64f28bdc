"""Clients that ask a server again and again, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx


class Load:
    """What the clients were told.

    Attributes:
        answers: in the order in which they came.
        lost: errors of requests that got no answer on a connection that the server had accepted.
    """

    def __init__(self, url: str, bodies: Sequence[dict[str, object]], *, stubborn: bool) -> None:
        self.answers: list[httpx.Response] = []
        self.lost: list[Exception] = []
        self._url, self._bodies, self._stubborn = url, bodies, stubborn
        self._stopping = False
        self._changed = threading.Condition()

    @property
    def statuses(self) -> set[int]:
        return {one.status_code for one in self.answers}

    def until(self, number: int) -> None:
        """Wait for so many answers more."""
        with self._changed:
            target = len(self.answers) + number
            assert self._changed.wait_for(lambda: len(self.answers) >= target, timeout=60), self.lost

    def client(self, place: int) -> None:
        """Ask until the load ends or the server asks its clients to go elsewhere; a stubborn one, until it is gone."""
        turn = place
        while not self._stopping:
            with httpx.Client(base_url=self._url, timeout=60) as client:
                while not self._stopping:
                    try:
                        answer = client.post("/v1/predict", json=self._bodies[turn % len(self._bodies)])
                    except httpx.ConnectError:
                        return  # it was not accepted
                    except httpx.HTTPError as error:
                        self.lost.append(error)
                        return
                    turn += 1
                    with self._changed:
                        self.answers.append(answer)
                        self._changed.notify_all()
                    if answer.headers.get("Connection") == "close":
                        break
            if not self._stubborn:
                return

    def stop(self) -> None:
        self._stopping = True


@contextmanager
def loaded(
    url: str, bodies: Sequence[dict[str, object]], clients: int = 8, *, stubborn: bool = False
) -> Iterator[Load]:
    """A load on the server during the block; at its end every request has its answer."""
    load = Load(url, bodies, stubborn=stubborn)
    threads = [threading.Thread(target=load.client, args=(place,)) for place in range(clients)]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.stop()
        for one in threads:
            one.join(timeout=60)
    assert not any(one.is_alive() for one in threads), "a client waits for ever"


def every(threads: int, ask: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """One request from each of so many threads, at once; in their order."""
    found: list[httpx.Response | None] = [None] * threads
    together = threading.Barrier(threads)

    def one(place: int) -> None:
        together.wait(timeout=30)
        found[place] = ask(place)

    running = [threading.Thread(target=one, args=(place,)) for place in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=60)
    answers = [one for one in found if one is not None]
    assert len(answers) == threads, "a request got no answer"
    return answers
