"""The settings of ``plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bertline.deploy.capacity.arrivals import Pattern

HOURS = 24
# An assumption, not a measurement: quiet from 1 to 5, the peak from 10 to 12 and again from 19 to 21 o'clock.
DAY: tuple[float, ...] = (
    30,
    20,
    20,
    20,
    20,
    25,
    35,
    50,
    70,
    85,
    100,
    100,
    95,
    90,
    85,
    80,
    80,
    85,
    95,
    100,
    100,
    85,
    60,
    45,
)


class PlanSettings(BaseModel):
    """The question, and what is assumed for the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rps: float = Field(gt=0, allow_inf_nan=False, description="requests per second at the peak of the day")
    p99_ms: float = Field(
        gt=0, allow_inf_nan=False, description="latency that 99 % of the requests must not exceed, in milliseconds"
    )
    texts: str | None = Field(
        None, description="table or .txt file whose texts have the lengths of yours; default: the bundle's own texts"
    )
    prices: Path | None = Field(None, description="price table of your machines (TOML)")
    engine: tuple[str, ...] = Field((), description="engine to consider; may be repeated; default: all of the bundle")
    replica_cores: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(
        (1, 2, 4), min_length=1, description="cores of a replica to consider; may be repeated"
    )
    headroom: float = Field(0.2, ge=0, le=10, description="load beyond the asked one that is still met, as a share")
    zones: int = Field(1, ge=1, le=26, description="zones over which replicas are spread, one of which may be lost")
    arrivals: Pattern = Field(
        "poisson", description="how requests arrive: independently, or in bursts of twice the rate for a second"
    )
    day: tuple[Annotated[float, Field(ge=0, le=100)], ...] = Field(
        DAY, description="load of each of the 24 hours from midnight, in per cent of --rps; may be repeated"
    )
    measured: Path | None = Field(
        None, description="output of an earlier --json, whose measurements are used instead of new ones"
    )
    measure_s: float = Field(6.0, gt=0, le=600, description="seconds of measuring for each engine")
    simulated_requests: int = Field(6_000, ge=200, description="requests of each simulation")

    @model_validator(mode="after")
    def _whole_day(self) -> Self:
        if len(self.day) != HOURS:
            raise ValueError(f"day has {len(self.day)} figures: give {HOURS}, one for each hour from midnight")
        if not any(self.day):
            raise ValueError("day is 0 in every hour: give the load in per cent of rps")
        return self
