"""The models behind the service, and the one thread on which they answer.

``Serving.predict`` is the seam for a batcher: routes know nothing else of how a model is run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, Self, runtime_checkable

from pydantic import JsonValue

from bertline.bundle.figures import Figure, figures
from bertline.errors import UsageError
from bertline.inference.predictor import Prediction, Predictor
from bertline.service.problems import Code, Problem

WARM_UP_TEXT = "The first answer is slower than all others, so nobody should wait for it."


@runtime_checkable
class Measured(Protocol):
    """A predictor that knows what was measured when it was trained."""

    @property
    def metrics(self) -> Mapping[str, JsonValue]:
        """The ``metrics`` of the bundle's manifest."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """Predictions, how long they waited for the thread, and how long the model took."""

    predictions: list[Prediction]
    waiting_ms: float
    inference_ms: float


class Serving:
    """The models by name, the default one first. An async context: entering it starts the warm-up.

    Raises:
        UsageError: there is no model.
    """

    def __init__(self, models: Mapping[str, Predictor]) -> None:
        if not models:
            raise UsageError("there is no model to serve: name at least one bundle")
        self.models = dict(models)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._warming: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._warming = asyncio.create_task(self._warm_up(), name="warm-up")
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._warming is not None:
            self._warming.cancel()
            with suppress(asyncio.CancelledError, Exception):  # the one who waits for it has seen its error
                await self._warming
        self._thread.shutdown(cancel_futures=True)

    @property
    def ready(self) -> bool:
        """Every model has answered a text."""
        task = self._warming
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    async def until_ready(self) -> None:
        """Return once every model has answered, or raise what the first that could not raised."""
        assert self._warming is not None, "the app has not started"
        await asyncio.shield(self._warming)

    def named(self, name: str | None) -> tuple[str, Predictor]:
        """The model of that name; the only one when no name is given.

        Raises:
            Problem: no such model, or several and none was named.
        """
        names = ", ".join(self.models)
        if name is None:
            if len(self.models) > 1:
                raise Problem(Code.MISSING_FIELD, f"Name one of the models in model: {names}.", "model")
            return next(iter(self.models.items()))
        if name not in self.models:
            raise Problem(Code.UNKNOWN_MODEL, f"There is no model of that name: known are {names}.", "model")
        return name, self.models[name]

    async def predict(self, predictor: Predictor, texts: Sequence[str]) -> Answered:
        """The predictor's answers; the event loop stays free while they are computed."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _answer, predictor, texts, perf_counter())

    async def _warm_up(self) -> None:
        for predictor in self.models.values():
            await self.predict(predictor, [WARM_UP_TEXT])


def _answer(predictor: Predictor, texts: Sequence[str], asked_s: float) -> Answered:
    began_s = perf_counter()
    predictions = predictor.predict(texts)
    return Answered(predictions, 1000 * (began_s - asked_s), 1000 * (perf_counter() - began_s))


def measured_figures(predictor: Predictor) -> dict[str, Figure]:
    """What was measured of a model when it was trained; empty when it does not say."""
    return figures(predictor.metrics) if isinstance(predictor, Measured) else {}
