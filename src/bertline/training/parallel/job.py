"""A run as a value that another process can carry out, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bertline.errors import BertlineError, TrainingError
from bertline.training.finished import AlreadyFinished
from bertline.training.progress import Progress

RETRY = 75  # exit code of ``PeerLost``


@dataclass(frozen=True)
class Job:
    """A call of a recipe: ``train``, ``distill`` or ``pretrain``.

    Attributes:
        recipe: a function of a module, so that it can be pickled; it takes ``progress`` and ``resume`` by name.
        arguments: the others, by name.
        resume: continue from a checkpoint, if there is one.
    """

    recipe: Callable[..., Any]
    arguments: Mapping[str, Any]
    resume: bool

    def __call__(self, progress: Progress) -> Any:
        """Carry it out in this process; a run that was finished before gives its ``Finished``."""
        try:
            return self.recipe(**self.arguments, progress=progress, resume=self.resume)
        except AlreadyFinished as ended:
            return ended.finished


@dataclass(frozen=True)
class Done:
    """The run is finished.

    Attributes:
        result: of the recipe, in the leader.
    """

    result: Any


@dataclass(frozen=True)
class Failed:
    """The run ended with an error that it would have again."""

    error: BaseException


@dataclass(frozen=True)
class Died:
    """A process of the run died, or could not reach the others; another attempt may succeed.

    Attributes:
        what: a sentence without a full stop, as in ``process 1 was killed by signal 9``.
    """

    what: str


Outcome = Done | Failed | Died


def persist(attempt: Callable[[Job], Outcome], job: Job, restarts: int, progress: Progress) -> Any:
    """Attempt ``job`` until it is done; each further attempt continues from the last checkpoint.

    Args:
        attempt: starts all processes, waits until none runs, and says what became of them.
        job: to carry out.
        restarts: how many further attempts there are.
        progress: hears of them.

    Returns:
        The result of the recipe.

    Raises:
        BertlineError: the error of the run.
        TrainingError: a process died once more than there are restarts.
    """
    left = restarts
    while isinstance(outcome := attempt(job), Died):
        if left == 0:
            times = f", after {restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
            raise TrainingError(
                f"{outcome.what}{times}: run the same command with --resume to continue from the last checkpoint, with "
                "fewer --processes if memory ran out"
            )
        left -= 1
        what = f"{outcome.what[:1].upper()}{outcome.what[1:]}"
        progress.note(f"{what}: all start again from the last checkpoint ({restarts - left} of {restarts})")
        job = replace(job, resume=True)
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome.result


def failure(error: BaseException) -> Outcome:
    """What an error of one process means for the run."""
    if isinstance(error, BertlineError) and error.exit_code != RETRY:
        return Failed(error)
    return Died(str(error))
