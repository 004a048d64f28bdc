"""The store of predictions: a SQLite file, or PostgreSQL by its URL. Programs without a server open it too."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from bertline.errors import BertlineError, needing

with needing("the store of predictions needs {}", "sqlalchemy", extra="serve"):
    import sqlalchemy as sql
    from sqlalchemy.dialects import postgresql, sqlite

    from bertline.database.database import Database
    from bertline.database.purpose import Purpose
    from bertline.lifecycle.predictions.schema import ANSWER, KEY, MIGRATIONS, MODELS, PREDICTIONS


class PredictionStoreError(BertlineError):
    """The store of predictions cannot be reached, read or written."""


PURPOSE = Purpose(
    what="the store of predictions",
    error=PredictionStoreError,
    file="/var/lib/bertline/predictions.db",
    absent="bertline serve --predictions-url makes one; check the URL",
    uncreatable="give another --predictions-url",
    lock=0x6265_7274_7072_6564,  # "bertpred"
    extra="serve",
    wait_s=10.0,
    wal=True,
    mode=0o600,
)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A version of a model that predicted: its spec as JSON gives answers and feedback their meaning."""

    digest: str
    model: str
    spec: str
    first_ms: int


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One answer to one text.

    Attributes:
        id: from ``new_id``.
        request_id: of the request, as X-Request-Id has it.
        item: index of the text in the request.
        at_ms: when it was answered.
        model: name of the model.
        digest: of its bundle.
        text_hash: from ``text_hash``.
        characters: of its texts together.
        read_tokens: that the model read.
        cut_tokens: that truncation left out.
        answer: JSON of ``tasks.*.feedback.recorded``.
        role: whether the client got it.
        output: of the network.
        client: who asked; None without authentication.
        texts: JSON list of its texts, one or two; None if texts are not kept.
        redacted: whether redaction changed them.
        embedding: bytes of float32 in little-endian order, if it is one of the sample.
    """

    id: str
    request_id: str
    item: int
    at_ms: int
    model: str
    digest: str
    text_hash: str
    characters: int
    read_tokens: int
    cut_tokens: int
    answer: str
    role: str = ANSWER
    output: str = "logits"
    client: str | None = None
    texts: str | None = None
    redacted: bool = False
    embedding: bytes | None = None


def open_store(url: str, *, create: bool = False) -> Database:
    """Open a store, and migrate its tables. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.
        create: whether a missing SQLite file is created, which only its owner can read.

    Raises:
        UsageError: the URL is invalid or of another database.
        PredictionStoreError: it cannot be used, or is of a newer bertline.
    """
    database = Database(url, PURPOSE, create=create)
    try:
        MIGRATIONS.prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def add(connection: sql.Connection, models: Sequence[ModelRecord], predictions: Sequence[PredictionRecord]) -> None:
    """Add records; those whose ids are there already change nothing, so that a batch may be repeated."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for table, records in ((MODELS, models), (PREDICTIONS, predictions)):
        if records:
            connection.execute(insert(table).on_conflict_do_nothing(), [asdict(one) for one in records])


def secret_of(store: Database) -> bytes:
    """The key of the store's hashes of texts.

    Raises:
        PredictionStoreError: it cannot be read.
    """
    with store.reading() as connection:
        return bytes.fromhex(str(connection.scalar(sql.select(KEY.c.key))))


def text_hash(texts: Sequence[str], key: bytes) -> str:
    """The keyed hash of one text or several: equal texts have equal hashes in one store, and not in two.

    Whoever can read the store has the key too and can test guesses; the hash hides texts from those who have a part of
    the rows.

    >>> text_hash(["a", "b"], b"k") == text_hash(["ab"], b"k")
    False
    """
    digest = hashlib.blake2b(key=key, digest_size=16)
    for one in texts:
        content = one.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def new_id(at_ms: int) -> str:
    """An id that no other row has; later ones are greater, but for those of the same millisecond."""
    return f"{at_ms:012x}{os.urandom(10).hex()}"


def now_ms() -> int:
    """The time of day."""
    return time.time_ns() // 1_000_000


def ms_of(moment: datetime | None) -> int:
    """A moment with its time zone; None is the beginning."""
    return 0 if moment is None else round(1000 * moment.timestamp())
