"""The settings of ``bertline gate``: what a challenger may cost at most."""

from __future__ import annotations

from pydantic import Field

from bertline.data.settings import EvaluateSettings


class GateSettings(EvaluateSettings):
    """How rows are read and what passes. Points are hundredths of the score."""

    margin: float = Field(2.0, gt=0, le=50, description="points of score that the challenger may lose at most")
    slice_margin: float = Field(5.0, gt=0, le=100, description="points that it may lose at most on any slice")
    looks: int = Field(
        1, ge=1, description="challengers judged on these rows so far, this one included; more make intervals wider"
    )
    max_slower: float = Field(0.25, ge=0, description="share by which an answer may take longer than the champion's")
    max_larger: float = Field(0.25, ge=0, description="share by which the engine's files and memory may be larger")
    max_calibration_error: float = Field(0.1, gt=0, le=1, description="expected calibration error that is tolerated")
    min_agreement: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of rows on which the engine must agree with the full network; 0: not checked; default is "
        "0.98, and 0 for the engine of a student, which is another network",
    )
    max_leaked: float = Field(
        0.01, ge=0, le=1, description="share of texts that may have trained or chosen the challenger; 1: not checked"
    )
    timed_texts: int = Field(60, ge=10, description="texts that are timed one by one")
