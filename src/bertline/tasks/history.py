"""What one epoch of training was like: the record that the loop writes and the report draws."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: its optimizer ``steps`` and real (not padding) ``tokens``; losses are nats per row."""

    epoch: int
    steps: int
    seconds: float
    tokens: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    validation_macro_f1: float

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)
