"""What a request gets from the core: an array per text, what was read, and where the time went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from bertline.encoder.outputs import OUTPUTS
from bertline.serving.version import Version
from bertline.statistics.activation import Activation, probabilities
from bertline.tasks import task
from bertline.text import Reading

Made = TypeVar("Made")
# Of a request, from which on answers made of each token's array are made in a thread: entities of 20,000 tokens take
# 0.4 s, which nobody else should wait for.
LARGE_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Timing:
    """Where a request's time went, in seconds; of its texts, the one that took longest."""

    tokenise_s: float
    queue_s: float
    compute_s: float


@dataclass(frozen=True)
class Answered:
    """One output of one version of a model, for each text of a request.

    Attributes:
        version: which one.
        pieces: for each text the arrays of its pieces, of which several are windows.
        readings: which tokens of each text were read.
        timing: where the time went.
    """

    version: Version
    pieces: Sequence[Sequence[Float[np.ndarray[Any, Any], "..."]]]
    readings: Sequence[Reading]
    timing: Timing

    @property
    def read_tokens(self) -> int:
        """Of all texts together."""
        return sum(one.read for one in self.readings)

    @cached_property
    def rows(self) -> Sequence[Float[np.ndarray[Any, Any], "..."]]:
        """An array per text; of windows, their mean."""
        return [one[0] if len(one) == 1 else np.mean(one, axis=0) for one in self.pieces]

    @cached_property
    def answers(self) -> Sequence[Any]:
        """The answer to each text, as the model's task gives it (``tasks.contract.Answer``).

        The computed output is the one that the spec names.
        """
        spec = self.version.spec
        answers: Sequence[Any] = task(spec.task).answer.answers(spec, self.pieces, self.readings)
        return answers

    def shares(
        self, *, calibrated: bool = True, activation: Activation | None = None
    ) -> Float[np.ndarray[Any, Any], "texts labels"]:
        """Of each text, each label's probability, in the model's order; computed once, whoever wants them.

        Args:
            calibrated: divide the logits by the bundle's temperature first; HF's pipelines do not.
            activation: instead of the model's own.
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
    """What is made of the model's answers, in a thread where the event loop would be held up.

    Args:
        answered: with the output that the model's answers are made from.
        make: takes the time.
    """
    large = OUTPUTS[answered.version.spec.output].by_token and answered.read_tokens > LARGE_TOKENS
    return await asyncio.to_thread(make) if large else make()
