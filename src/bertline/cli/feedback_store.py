"""The store of predictions that ``bertline feedback`` opens, and the model and time that its verbs are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.config import load_settings, nearest
from bertline.errors import UsageError
from bertline.lifecycle.predictions.settings import PredictionSettings

if TYPE_CHECKING:
    from bertline.database.database import Database

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--predictions-url",
        metavar="URL",
        help="Store of predictions; default: BERTLINE_PREDICTIONS_URL, or bertline.toml.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Name of the model; needed if the store has several.", show_default=False)
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="From then on: 30d, 12h, or a date or time in ISO 8601 (UTC)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def opened(url: str | None) -> Database:
    """The store of the settings.

    Raises:
        UsageError: none is named.
        PredictionStoreError: it cannot be used.
    """
    place = load_settings(PredictionSettings, "predictions", {"url": url}, flag_prefix="predictions-").url
    if place is None:
        raise UsageError(
            "no store of predictions is named: give --predictions-url, or set BERTLINE_PREDICTIONS_URL to that of "
            "bertline serve"
        )
    from bertline.lifecycle.predictions.store import open_store

    return open_store(place)


def model_in(store: Database, name: str | None) -> str:
    """The model that is meant.

    Raises:
        UsageError: the store has no predictions of it, or of several models and none was named.
    """
    from bertline.lifecycle.predictions.figures import models

    known = models(store)
    if not known:
        raise UsageError(f"{store.place} has no predictions yet: bertline serve --predictions-url writes them")
    if name is None and len(known) > 1:
        raise UsageError(f"{store.place} has predictions of several models: give --model, one of {', '.join(known)}")
    if name is not None and name not in known:
        raise UsageError(f"{store.place} has no predictions of {name}{nearest(name, known)}")
    return name or known[0]


def since_of(when: str | None) -> datetime | None:
    """A moment.

    Raises:
        UsageError: it is none.
    """
    if when is None:
        return None
    number, unit = when[:-1], UNITS.get(when[-1:])
    if unit is not None and number.isdecimal():
        return datetime.now(UTC) - timedelta(**{unit: int(number)})
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        raise UsageError(f"--since {when} is no time: give 30d, 12h, 90m, or a date as in 2026-11-30") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
