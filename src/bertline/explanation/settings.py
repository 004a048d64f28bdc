"""The settings of ``bertline explain``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Perturbing = Literal["linear", "shapley", "partition", "leave-one-out"]
Method = Literal[Perturbing, "integrated-gradients"]
Baseline = Literal["mask", "pad", "zero", "average"]
BASELINES: tuple[Baseline, ...] = ("mask", "pad", "zero")  # those that are averaged
Removal = Literal["delete", "mask"]


class ExplainSettings(BaseModel):
    """How an answer is explained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field("linear", description="how the share of a word is found; integrated-gradients needs PyTorch")
    removal: Removal = Field("delete", description="delete: a removed word is gone; mask: [MASK] is in its place")
    budget: int = Field(500, ge=8, le=20_000, description="most answers of the model that an explanation may take")
    seed: int = Field(0, ge=0, description="of what is sampled; the same seed gives the same shares")
    baseline: Baseline = Field(
        "mask", description="what integrated gradients start from: [MASK], [PAD], no embedding, or the average of these"
    )
    phrases: bool = Field(
        False, description="also find words that together do more or less than alone, in up to --budget answers more"
    )
    skip_faithfulness: bool = Field(
        False, description="do not measure how faithful the shares are, which takes up to 20 answers more"
    )
