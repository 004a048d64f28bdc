"""The settings of ``optimize``."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bertline.training.distillation.settings import DistilSettings

Goal = Literal["throughput", "latency", "size"]


class OptimizeSettings(BaseModel):
    """What an engine may cost and what it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    max_accuracy_drop: float = Field(0.5, ge=0, description="accuracy that may be lost against fp32, in points")
    goal: Goal = Field("throughput", description="what the picked engine is best at")
    student: Path | None = Field(None, description="bundle that bertline distill made of this one: tried, and cascaded")
    unlabelled: tuple[str, ...] = Field((), description="tables of text: say how often engines agree with fp32")
    text_column: str | None = Field(
        None, description="text column of the unlabelled tables; found by name when not given"
    )
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = Field(
        None, description="format of unlabelled tables whose suffix gives none"
    )
    encoding: str = Field("utf-8", description="encoding of the unlabelled tables; UTF-16 and UTF-32 are detected")
    delimiter: str | None = Field(
        None, description="delimiter of unlabelled CSV and TSV, such as ; or tab; found from the header by default"
    )
    no_header: bool = Field(
        False,
        description="unlabelled CSV and TSV have no header: line 1 is a row, and columns are column_1 and so on",
    )
    skip_bad_rows: bool = Field(
        False, description="leave unusable rows of the unlabelled tables out, instead of stopping"
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the bound on the loss of a cascade")
    kept_tokens: int = Field(8000, ge=200, description="rows of a pruned embedding table")
    speed_rows: int = Field(512, ge=16, description="texts whose time is taken")
    repetitions: int = Field(5, ge=1, description="of each measurement of speed; medians are shown")

    def tables(self) -> DistilSettings:
        """What is said of the unlabelled tables, as ``read_transfer`` takes it."""
        shared = DistilSettings.model_fields.keys() & {
            "unlabelled", "text_column", "format", "encoding", "delimiter", "no_header", "skip_bad_rows",
        }  # fmt: skip
        return DistilSettings(**{name: getattr(self, name) for name in shared})
