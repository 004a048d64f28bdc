"""The settings of the log, apart from what writes it: the command line reads them where structlog is not installed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RedactedKind = Literal["email", "phone", "number", "url"]
ALL_KINDS: tuple[RedactedKind, ...] = ("url", "email", "phone", "number")


class LogSettings(BaseModel):
    """How the log looks and what is in it. Texts are not, unless ``sample_texts`` says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["auto", "json", "console"] = Field(
        "auto", description="json is one ECS object a line; auto is console on a terminal and json elsewhere"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is logged; probes of health and metrics are debug"
    )
    slow_ms: float | None = Field(None, gt=0, description="a request that takes longer is a warning; else none is")
    sample_texts: float = Field(
        0.0, ge=0, le=1, description="share of requests whose first texts are logged; 0 logs no text ever"
    )
    redact: tuple[RedactedKind, ...] = Field(
        ALL_KINDS, description="what is taken out of texts that are logged: email, phone, number, url"
    )
    strict: bool = Field(False, description="fail on a field that the table of fields lacks, for tests")
