"""The settings of ``bertline scan``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bertline.data.settings import TableSettings

MOST_TEXTS = 200  # by default
MOST_ROWS = 10_000


class ProbeSettings(BaseModel):
    """How texts are probed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probes: tuple[str, ...] = Field((), description="probes or groups of probes; all that fit the model by default")
    rows: int = Field(MOST_TEXTS, ge=1, le=MOST_ROWS, description="texts to probe at most; chosen at random")
    budget: int | None = Field(
        None, ge=8, description="most answers of the model that a scan may take; by default as many as it needs"
    )
    seed: int = Field(
        0, ge=0, description="of the choice of texts and of the changes; the same seed changes them alike"
    )


class ScanSettings(TableSettings, ProbeSettings):
    """How a table is read and its texts are probed."""
