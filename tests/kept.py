"""Stores of predictions for tests: both kinds of database, and predictions in them as a server writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import ANSWER, ModelRecord, PredictionRecord, new_id, now_ms, text_hash
from bertline.lifecycle.predictions.store import add, open_store, secret_of
from bertline.tasks.classify.spec import Spec

SPEC = Spec(labels=("bad", "good"))
HOUR_MS = 3_600_000
OLD, NEW = "a" * 64, "b" * 64  # digests of two versions


@contextmanager
def store_in(folder: Path) -> Iterator[Database]:
    """A new store in a file."""
    with open_store(f"sqlite:///{folder / 'predictions.db'}", create=True) as store:
        yield store


def sure(label: str, share: float = 0.9) -> dict[str, Any]:
    """An answer of a classifier with two labels."""
    other = "good" if label == "bad" else "bad"
    return {"label": label, "probabilities": {label: share, other: round(1 - share, 6)}}


def keep(
    store: Database,
    answers: Sequence[dict[str, Any]],
    *,
    request: str = "r",
    digest: str = NEW,
    model: str = "reviews",
    spec: Any = SPEC,
    texts: Sequence[Sequence[str] | str] | None = None,
    at_ms: int | None = None,
    **fields: Any,
) -> list[PredictionRecord]:
    """Predictions, each of a request of its own: ``r0``, ``r1`` …."""
    key, at_ms = secret_of(store), now_ms() - HOUR_MS if at_ms is None else at_ms
    records = []
    for place, answer in enumerate(answers):
        known = [f"text {place} of {request}"] if texts is None else texts[place]
        own = [known] if isinstance(known, str) else [*known]
        records.append(
            PredictionRecord(
                id=new_id(at_ms + place),
                request_id=f"{request}{place}",
                item=0,
                at_ms=at_ms + place,
                model=model,
                digest=digest,
                text_hash=text_hash(own, key),
                characters=sum(map(len, own)),
                cut_tokens=0,
                answer=json.dumps(answer),
                texts=None if texts is None else json.dumps(own),
                **{"role": ANSWER, "read_tokens": 7, **fields},
            )
        )
    with store.changing() as connection:
        add(connection, [ModelRecord(digest, model, json.dumps(spec.model_dump(mode="json")), at_ms)], records)
    return records
