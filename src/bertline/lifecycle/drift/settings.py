"""The settings of ``bertline drift``."""

from __future__ import annotations

from pydantic import Field

from bertline.data.settings import LabelledTableSettings


class DriftSettings(LabelledTableSettings):
    """How new texts are read and compared."""

    level: float = Field(0.05, gt=0, le=0.5, description="chance of a false alarm, of all tests together")
    rows: int = Field(
        5000, ge=20, description="texts to compare at most, of the table and of the reference; chosen at random"
    )
    labelled: bool = Field(
        False,
        description="look for a drop of accuracy: the table has labels, and its rows are in the order of time; of a "
        "store, there must be feedback on this version",
    )
    engine: str | None = Field(
        None, description="engine that answers, the one that is served; default: the bundle's first"
    )
    seed: int = Field(0, ge=0, description="of the choice of texts and of the permutations")
