"""The core's result for a request: an array per text, the tokens read, and timing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from bertline.encoder.outputs import OUTPUTS
from bertline.serving.version import Version
from bertline.statistics.activation import Activation, probabilities
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Reading

Made = TypeVar("Made")
# A request with more tokens has its entities decoded in a thread: 20,000 tokens take 0.4 s, which would block others.
LARGE_TOKENS = 1024
LARGE_MASKS = 8  # [MASK] of a request, likewise: each takes about 1 ms of 30,522 entries


@dataclass(frozen=True, slots=True)
class Timing:
    """A request's times in seconds; each is that of the slowest text."""

    tokenise_s: float
    queue_s: float
    compute_s: float


@dataclass(frozen=True)
class Answered:
    """One output of one version of a model, for each text of a request.

    Attributes:
        version: that computed it.
        pieces: for each text the arrays of its pieces; several pieces are windows.
        readings: of each text: its pieces, and the tokens read and cut.
        timing: of the request.
        spec: to answer with: the version's own with the choices of the request.
    """

    version: Version
    pieces: Sequence[Sequence[Float[np.ndarray[Any, Any], "..."]]]
    readings: Sequence[Reading]
    timing: Timing
    spec: TaskSpec

    @property
    def read_tokens(self) -> int:
        """Tokens read of all texts."""
        return sum(one.read for one in self.readings)

    @cached_property
    def rows(self) -> Sequence[Float[np.ndarray[Any, Any], "..."]]:
        """An array per text; for windows, their mean."""
        return [one[0] if len(one) == 1 else np.mean(one, axis=0) for one in self.pieces]

    @cached_property
    def answers(self) -> Sequence[Any]:
        """The answer to each text in the form of the model's task (``tasks.contract.Answer``).

        Requires the output that the spec names.
        """
        spec = self.spec
        answers: Sequence[Any] = task(spec.task).answer.answers(spec, self.pieces, self.readings)
        return answers

    def shares(
        self, *, calibrated: bool = True, activation: Activation | None = None
    ) -> Float[np.ndarray[Any, Any], "texts labels"]:
        """The probability of each label for each text, in the model's order; computed once.

        Args:
            calibrated: divide the logits by the bundle's temperature, which HF's pipelines do not.
            activation: default: the model's own.
        """
        spec = self.version.spec
        how = activation or spec.activation, spec.temperature if calibrated else 1.0
        if how not in self._shares:
            self._shares[how] = probabilities(np.stack(self.rows), *how)
        return self._shares[how]

    def probabilities(self, *, calibrated: bool = True, activation: Activation | None = None) -> list[list[float]]:
        """``shares`` as lists."""
        listed: list[list[float]] = self.shares(calibrated=calibrated, activation=activation).tolist()
        return listed

    @cached_property
    def _shares(self) -> dict[tuple[Activation, float], Float[np.ndarray[Any, Any], "texts labels"]]:
        return {}


async def made(answered: Answered, make: Callable[[], Made]) -> Made:
    """Call ``make``, in a thread if it would block the event loop for long.

    Args:
        answered: with the output from which ``make`` creates answers.
        make: creates them.
    """
    output = OUTPUTS[answered.version.spec.output]
    if output.masked:
        large = sum(map(len, chain.from_iterable(answered.pieces))) > LARGE_MASKS
    else:
        large = output.by_token and answered.read_tokens > LARGE_TOKENS
    return await asyncio.to_thread(make) if large else make()
