"""The settings of a rollout's decisions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Plan(BaseModel):
    """What a challenger may cost, and how sure a decision has to be. Shares are between 0 and 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_requests: int = Field(100, ge=1, description="requests of the challenger before a step may end well")
    min_step_s: float = Field(60.0, ge=0, description="seconds before a step may end well")
    max_step_s: float = Field(86_400.0, gt=0, description="seconds after which an undecided step ends")
    at_timeout: Literal["rollback", "advance"] = Field(
        "rollback", description="what an undecided step ends with: rollback, or advance"
    )
    watch_s: float = Field(3_600.0, ge=0, description="seconds for which the new champion is watched")
    more_errors: float = Field(0.01, ge=0, lt=1, description="failed requests more than the champion's, as a share")
    more_slow: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="slow requests more than the champion's, as a share; slow is half as long again as its p99",
    )
    least_agreement: float = Field(
        0.8, ge=0, lt=1, description="share of answers that must be the same as the champion's; 0 does not ask"
    )
    more_wrong: float = Field(
        0.03, ge=0, lt=1, description="wrong answers more than the champion's, by feedback, as a share"
    )
    false_alarms: float = Field(
        0.01, gt=0, lt=1, description="chance that a rollout of a challenger within these bounds is rolled back"
    )
    missed: float = Field(0.05, gt=0, lt=1, description="chance that a step lets a challenger beyond a bound pass")
    compare: float = Field(1.0, ge=0, le=1, description="share of requests that both versions compute, to compare them")
