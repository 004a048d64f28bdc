"""The settings of the store of predictions: where it is, what is kept and for how long."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bertline.monitoring.logs.settings import ALL_KINDS, RedactedKind


class PredictionSettings(BaseModel):
    """The table ``[predictions]`` of ``bertline.toml``. Without ``url``, nothing is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        None,
        description="store of predictions and feedback, sqlite:///FILE or postgresql://USER@HOST/NAME; default: none",
    )
    text: bool = Field(False, description="keep texts too, redacted")
    redact: tuple[RedactedKind, ...] = Field(
        ALL_KINDS, description="redacted in texts that are kept: email, phone, number, url"
    )
    retention_days: float = Field(90, gt=0, description="predictions and their feedback are deleted after so many days")
    text_days: float = Field(30, gt=0, description="texts and embeddings are deleted after so many days")
    embeddings: float = Field(
        0.0, ge=0, le=1, description="share of requests whose embeddings are kept; computed after the answer"
    )
    queue: int = Field(
        20_000, ge=1, description="most texts that wait to be written while the store is away; others are dropped"
    )
