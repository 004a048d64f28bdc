"""The settings of ``optimize``."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from bertline.data.formats import Format
from bertline.data.settings import UnlabelledSettings

Goal = Literal["throughput", "latency", "size"]


class OptimizeSettings(UnlabelledSettings):
    """What an engine may cost and what it is for."""

    max_accuracy_drop: float = Field(0.5, ge=0, description="maximum loss of accuracy against fp32, in points")
    goal: Goal = Field("throughput", description="criterion for the selected engine")
    student: Path | None = Field(None, description="bundle distilled from this one, tried alone and in a cascade")
    unlabelled: tuple[str, ...] = Field(
        (),
        description="tables of text, to measure how often engines agree with fp32; a masked language model "
        "and an imported embedder are measured on these texts alone",
    )
    format: Format | None = Field(None, description="format of unlabelled tables whose suffix gives none")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of the bound on a cascade's loss")
    kept_tokens: int = Field(8000, ge=200, description="token embeddings that pruning keeps")
    speed_rows: int = Field(512, ge=16, description="texts timed per measurement")
    repetitions: int = Field(5, ge=1, description="repetitions of each speed measurement; medians are reported")
