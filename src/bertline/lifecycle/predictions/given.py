"""Feedback as it is given, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["counted", "corrected", "superseded", "duplicate", "unknown", "invalid"]
MOST_ITEMS = 1000  # of one call
WAITING_DAYS = 7  # that feedback on an unknown request is kept


@dataclass(frozen=True, slots=True)
class Feedback:
    """The correct answer to one text.

    Attributes:
        request_id: X-Request-Id of the response.
        correct: in the terms of the model's task (``tasks.*.feedback.target``).
        item: index of the text in the request.
        source: system that it comes from.
        annotator: person or rule.
        labelled_ms: when it was given, if known.
    """

    request_id: str
    correct: Any
    item: int = 0
    source: str = ""
    annotator: str = ""
    labelled_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item.

    Attributes:
        status: ``counted``: the first on its prediction. ``corrected``: it contradicts an earlier one and counts
            instead. ``superseded``: it contradicts a later one, which still counts. ``duplicate``: the same was said
            before. ``unknown``: no such prediction; it is kept for ``WAITING_DAYS`` in case that it comes.
            ``invalid``: the model cannot have been to give this answer; not kept.
        message: one sentence, where something is to be said.
        digest: version that predicted.
        right: whether that was right; None if unknown or neither.
        age_s: time from the prediction to the feedback.
    """

    status: Status
    message: str = ""
    model: str | None = None
    digest: str | None = None
    right: bool | None = None
    age_s: float | None = None
