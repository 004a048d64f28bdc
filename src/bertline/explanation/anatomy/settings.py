"""The settings of an anatomy: what is looked at, and what is shown of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AnatomySettings(BaseModel):
    """Where to look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: int = Field(0, ge=0, description="layer to show, from 0")
    head: int = Field(0, ge=0, description="head to show, from 0")
    token: int | None = Field(None, ge=0, description="token to follow, from 0; by default the first of the text")
    window: int = Field(3, ge=2, le=16, description="neighbouring words that the model is given together")
    skip_parts: bool = Field(False, description="do not ask the model about words and windows by themselves")
