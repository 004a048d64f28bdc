"""The record of one epoch, which the loop writes and the report draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: its optimizer ``steps`` and real (not padding) ``tokens``; losses are means per row.

    ``figures`` are the task's, on the validation rows. ``best``: no earlier epoch was better, so the model has the
    weights of the last one that is ``best``.
    """

    epoch: int
    steps: int
    seconds: float
    tokens: int
    train_loss: float
    validation_loss: float
    figures: Mapping[str, float] = field(default_factory=dict)
    best: bool = False
