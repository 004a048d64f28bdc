"""The settings of ``optimize``."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from bertline.data.formats import Format
from bertline.data.settings import UnlabelledSettings

Goal = Literal["throughput", "latency", "size"]


class OptimizeSettings(UnlabelledSettings):
    """What an engine may cost and what it is for."""

    max_accuracy_drop: float = Field(0.5, ge=0, description="accuracy that may be lost against fp32, in points")
    goal: Goal = Field("throughput", description="what the picked engine is best at")
    student: Path | None = Field(None, description="bundle that bertline distill made of this one: tried, and cascaded")
    unlabelled: tuple[str, ...] = Field((), description="tables of text: say how often engines agree with fp32")
    format: Format | None = Field(None, description="format of unlabelled tables whose suffix gives none")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the bound on the loss of a cascade")
    kept_tokens: int = Field(8000, ge=200, description="rows of a pruned embedding table")
    speed_rows: int = Field(512, ge=16, description="texts whose time is taken")
    repetitions: int = Field(5, ge=1, description="of each measurement of speed; medians are shown")
