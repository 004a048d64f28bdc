"""Hands each answer to the store of predictions; embeddings of a sample are computed after the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bertline.bundle.store import VERSION_DIGITS
from bertline.encoder.outputs import OUTPUTS
from bertline.lifecycle.predictions.made import NO_EMBEDDINGS, Made
from bertline.lifecycle.predictions.records import SHADOW, now_ms
from bertline.service.exchange import Exchange, current
from bertline.serving.listeners import Listener
from bertline.serving.problems import Problem

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck
    from bertline.lifecycle.predictions.checks import DriftCheck
    from bertline.lifecycle.predictions.figures import Counts
    from bertline.lifecycle.predictions.writer import PredictionWriter
    from bertline.monitoring.metrics.registry import Metrics
    from bertline.serving.answered import Answered
    from bertline.serving.scheduler import Scheduler

EMBEDDING = "embedding"
EMBED_WITHIN_S = 10.0


class PredictionListener(Listener):
    """Hands over the answers of the models' own tasks; other outputs are not judged, and so not kept.

    Args:
        writer: takes them.
        scheduler: computes embeddings.
    """

    def __init__(self, writer: PredictionWriter, scheduler: Scheduler) -> None:
        self._writer, self._scheduler, self._share = writer, scheduler, writer.settings.embeddings
        self._embedding: set[asyncio.Task[None]] = set()

    def answered(self, output: str, answered: Answered) -> None:
        """An answer that was made at once."""
        if output == answered.version.spec.output and not OUTPUTS[output].by_token:
            self._keep(output, answered)

    def predicted(self, answered: Answered) -> None:
        """An answer that was made from rows per token."""
        self._keep(answered.version.spec.output, answered)

    def mirrored(self, answered: Answered) -> None:
        """The other version's answer to a request, for comparison."""
        exchange = current()
        if exchange is not None:
            self._writer.offer(replace(_made(exchange, answered, NO_EMBEDDINGS), role=SHADOW))

    def _keep(self, output: str, answered: Answered) -> None:
        exchange = current()
        if exchange is None:  # a model warms up
            return
        if not self._share or random.random() >= self._share:
            self._writer.offer(_made(exchange, answered, NO_EMBEDDINGS))
        elif output == EMBEDDING:
            self._writer.offer(_made(exchange, answered, dict(enumerate(answered.rows))))
        else:
            task = asyncio.create_task(self._embed(exchange, answered))
            self._embedding.add(task)  # keeps it from garbage collection
            task.add_done_callback(self._embedding.discard)

    async def _embed(self, exchange: Exchange, answered: Answered) -> None:
        """Compute embeddings of texts in one piece; none if that is not possible now."""
        whole = {place: one.piece for place, one in enumerate(answered.readings) if len(one.pieces) == 1}
        embeddings = NO_EMBEDDINGS
        try:
            deadline_s = asyncio.get_running_loop().time() + EMBED_WITHIN_S
            line = answered.version.line(EMBEDDING)
            computed = await self._scheduler.compute(line, [*whole.values()], deadline_s)
            embeddings = dict(zip(whole, computed.rows, strict=True))
        except Problem:  # the server is busy or stops: the prediction itself is kept
            pass
        finally:
            self._writer.offer(_made(exchange, answered, embeddings))


def _made(exchange: Exchange, answered: Answered, embeddings: Mapping[int, Any]) -> Made:
    version = answered.version
    return Made(
        at_ms=now_ms(),
        request_id=exchange.id,
        client=client_of(exchange),
        model=version.name,
        digest=version.checksum,
        spec=version.spec,
        readings=answered.readings,
        answers=lambda: answered.answers if version.spec.output != EMBEDDING else [None] * len(answered.readings),
        embeddings=embeddings,
    )


def measure_predictions(metrics: Metrics, writer: PredictionWriter) -> None:
    """Update the writer's metrics whenever they are read."""
    written = dropped = 0

    def look() -> None:
        nonlocal written, dropped
        before, written = written, writer.written
        metrics.count("bertline_predictions_written", written - before)
        before, dropped = dropped, writer.dropped
        metrics.count("bertline_predictions_dropped", dropped - before)
        metrics.set("bertline_predictions_waiting", writer.waiting)
        metrics.set("bertline_predictions_store_down", writer.failing)
        for work, at_s in writer.upkeep_s.items():
            metrics.set("bertline_predictions_upkeep_timestamp_seconds", at_s, work=work)
        _show(metrics, writer.figures.checks)
        _show_accuracy(metrics, writer.figures.accuracy)
        _show_counts(metrics, writer.figures.counts)

    metrics.before_reading(look)


def _show(metrics: Metrics, checks: Sequence[DriftCheck]) -> None:
    for one in checks:
        metrics.set("bertline_drift_checked_timestamp_seconds", one.at_ms / 1000, model=one.model)
        for kind in ("labels", "texts"):
            metrics.set("bertline_drift_found", one.kind == kind, model=one.model, kind=kind)
        for test, p in one.p_values.items():
            metrics.set("bertline_drift_p_value", p, model=one.model, test=test)
        if one.accuracy is not None:
            metrics.set("bertline_drift_estimated_accuracy", one.accuracy, model=one.model)


def _show_accuracy(metrics: Metrics, checks: Sequence[AccuracyCheck]) -> None:
    for name in ("bertline_accuracy_dropped", "bertline_accuracy_tested", "bertline_accuracy_expected"):
        metrics.clear(name)  # of versions that were tested before
    for one in checks:
        names = {"model": one.model, "version": one.digest[:VERSION_DIGITS]}
        metrics.set("bertline_accuracy_checked_timestamp_seconds", one.at_ms / 1000, model=one.model)
        metrics.set("bertline_accuracy_dropped", one.dropped, **names)
        metrics.set("bertline_accuracy_tested", one.accuracy, **names)
        metrics.set("bertline_accuracy_expected", one.expected, **names)


def _show_counts(metrics: Metrics, counts: Mapping[tuple[str, str], Counts]) -> None:
    metrics.clear("bertline_feedback_judged")  # of versions whose predictions were deleted
    for (model, digest), one in counts.items():
        numbers = {"right": one.right, "wrong": one.wrong} if one.right + one.wrong else {}
        for judged, number in (numbers | ({"neither": one.unjudged} if one.unjudged else {})).items():
            version = digest[:VERSION_DIGITS]
            metrics.set("bertline_feedback_judged", number, model=model, version=version, judged=judged)


def client_of(exchange: Exchange) -> str | None:
    """The name of the client; None without authentication."""
    client = exchange.scope.get("state", {}).get("client")
    return None if client is None or client.kind == "anonymous" else str(client.id)
