"""The settings of ``bertline retrain``: where rows come from, when a run is due, and what it may cost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from bertline.lifecycle.gate.settings import GateSettings

_PERIOD = r"^[1-9][0-9]{0,5}[smhdw]$"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class RetrainSettings(GateSettings):
    """What a model is trained again from, why, and by which gate it is judged.

    The fields of ``GateSettings`` are those of the gate, and how every table is read.
    """

    data: tuple[str, ...] = Field(
        (), description="labelled table to train on, the one of the champion and newer ones, oldest first; repeatable"
    )
    feedback: str | None = Field(
        None, description="store of predictions whose feedback is trained on too, sqlite:///FILE or postgresql://…"
    )
    served_as: str | None = Field(None, description="name of the model in that store, if servers call it otherwise")
    frozen: tuple[str, ...] = Field(
        (), description="labelled table that every challenger is judged by, and that is never trained on; repeatable"
    )
    fresh_ratio: float = Field(
        0.2, ge=0, lt=1, description="share of the feedback that is not trained on and judges the challenger"
    )
    behaviour: tuple[str, ...] = Field((), description="behavioural cases for the gate, as its --behaviour; repeatable")
    minimum: tuple[str, ...] = Field((), description="least value of a figure, NAME=NUMBER; repeatable")
    maximum: tuple[str, ...] = Field((), description="greatest value of a figure, NAME=NUMBER; repeatable")
    group_column: str | None = Field(None, description="rows with the same value in this column stay in one split")

    every: str | None = Field(None, pattern=_PERIOD, description="due when this long has passed, such as 7d or 12h")
    labels: int | None = Field(None, ge=1, description="due when there are so many new labelled rows")
    drift: str | None = Field(
        None,
        description="due when texts have drifted: what bertline drift --json printed, a table of recent texts, or the "
        "URL of a store of predictions",
    )
    drift_window: str = Field(
        "1d",
        pattern=_PERIOD,
        description="of a store, the predictions of the last full window of this length are compared (1d: of yesterday "
        "in UTC)",
    )
    accuracy: str | None = Field(
        None, description="due when accuracy has fallen by the feedback on the champion's answers: URL of that store"
    )
    hold: int = Field(
        2, ge=1, description="drift or a drop must be found so many times in a row, each in other texts or labels"
    )
    reset_level: float = Field(
        0.2,
        gt=0,
        le=1,
        description="after a run for drift, no test may be below this p-value before drift counts again, unless the "
        "champion has changed",
    )
    cooldown: str = Field("1d", pattern=_PERIOD, description="least time between the end of a run and the next one")
    check_every: str = Field("10m", pattern=_PERIOD, description="how often --watch looks")

    start: Literal["base", "champion"] = Field(
        "base", description="weights to start from: the encoder that the champion started from, or the champion"
    )
    model: str | None = Field(
        None,
        description="encoder to start from, for a base that is at another place than when the champion was trained",
    )
    budget_min: float = Field(120.0, gt=0, description="minutes that training may take; more ends the run")
    engines: Literal["as-champion", "none"] = Field(
        "as-champion", description="build engines by optimize if the champion has such; none: only fp32"
    )
    no_shadow: bool = Field(False, description="do not let servers compute with the challenger in the shadow")
    experiment: str = Field("bertline", description="MLflow's group of runs")
    key: Path | None = Field(None, description="private key that signs the verdict")
    passphrase_file: Path | None = Field(None, description="file with the passphrase of --key")
    directory: Path | None = Field(
        None, description="where runs and their data are kept; default: retraining in the user's data directory"
    )
    keep: int = Field(3, ge=1, description="runs whose rows and bundles are kept; records of older ones stay")

    def tables(self) -> GateSettings:
        """How a table is read, and the gate's limits, without what is the retraining's own."""
        return GateSettings(**{name: getattr(self, name) for name in GateSettings.model_fields})


def period(text: str) -> timedelta:
    """A length of time.

    >>> period("12h")
    datetime.timedelta(seconds=43200)
    """
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
