"""The settings of ``bertline explain``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["shapley", "partition", "leave-one-out"]
Removal = Literal["delete", "mask"]


class ExplainSettings(BaseModel):
    """How an answer is explained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field("shapley", description="how the share of a word is found")
    removal: Removal = Field("delete", description="delete: a removed word is gone; mask: [MASK] is in its place")
    budget: int = Field(500, ge=8, le=20_000, description="most answers of the model that an explanation may take")
    seed: int = Field(0, ge=0, description="of the sampled orders; the same seed gives the same shares")
    skip_faithfulness: bool = Field(
        False, description="do not measure how faithful the shares are, which takes up to 20 answers more"
    )
