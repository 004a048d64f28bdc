"""The settings of the log, which the command line reads even without structlog."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RedactedKind = Literal["email", "phone", "number", "url"]
ALL_KINDS: tuple[RedactedKind, ...] = ("url", "email", "phone", "number")


class LogSettings(BaseModel):
    """Format and content of the log. Texts are logged only with ``sample_texts``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["auto", "json", "console"] = Field(
        "auto", description="json: one ECS object per line; auto: console on a terminal, else json"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="minimum level; health probes and /metrics are debug"
    )
    slow_ms: float | None = Field(None, gt=0, description="slower requests are logged as warnings")
    sample_texts: float = Field(
        0.0, ge=0, le=1, description="share of requests whose first texts are logged; 0 never logs texts"
    )
    redact: tuple[RedactedKind, ...] = Field(
        ALL_KINDS, description="redacted in logged texts: email, phone, number, url"
    )
    strict: bool = Field(False, description="fail on a field that is not in the table, for tests")
