from __future__ import annotations

from typing import Any

import pytest

from bertline.errors import DataError, TrainingError
from bertline.training.parallel.job import Died, Done, Failed, Job, Outcome, failure, persist
from bertline.training.parallel.ranks import PeerLost
from bertline.training.progress import Progress, Silent

KILLED = Died("process 1 was killed by signal 9 (Killed)")


def recipe(*, source: str, progress: Progress, resume: bool) -> str:
    progress.note(source)
    return f"{source}, {resume}"


class Noted(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def persisted(restarts: int, *outcomes: Outcome) -> tuple[Any, list[str], list[bool]]:
    progress, resumed, left = Noted(), [], [*outcomes]

    def attempt(job: Job) -> Outcome:
        resumed.append(job.resume)
        return left.pop(0)

    result = persist(attempt, Job(recipe, {"source": "rows.csv"}, False), restarts, progress)
    return result, progress.notes, resumed


def test_a_job_calls_its_recipe() -> None:
    progress = Noted()
    assert Job(recipe, {"source": "rows.csv"}, True)(progress) == "rows.csv, True"
    assert progress.notes == ["rows.csv"]


def test_an_attempt_that_died_is_followed_by_one_that_resumes() -> None:
    result, notes, resumed = persisted(3, KILLED, KILLED, Done("bundle"))
    assert result == "bundle"
    assert resumed == [False, True, True]
    assert notes == [
        f"Process 1 was killed by signal 9 (Killed): all start again from the last checkpoint ({n} of 3)"
        for n in (1, 2)
    ]


def test_restarts_come_to_an_end() -> None:
    with pytest.raises(
        TrainingError, match=r"process 1 was killed by signal 9 \(Killed\), after 1 restart: run .* with --resume"
    ):
        persisted(1, KILLED, KILLED)
    with pytest.raises(TrainingError, match=r"process 1 was killed by signal 9 \(Killed\): run"):
        persisted(0, KILLED)


def test_an_error_that_would_come_again_ends_the_run() -> None:
    with pytest.raises(DataError, match="no rows"):
        persisted(3, Failed(DataError("no rows")))


def test_only_a_lost_process_is_worth_another_attempt() -> None:
    error = DataError("no rows")
    assert failure(error) == Failed(error)
    assert failure(PeerLost("lost")) == Died("lost")
