"""From what the serving core answered to the records that are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertline.lifecycle.predictions.records import ANSWER, ModelRecord, PredictionRecord, new_id, text_hash
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.monitoring.logs.redaction import redacted_whole
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text.reading import Reading, texts_of

NO_EMBEDDINGS: Mapping[int, Any] = {}
LONGEST_CLIENT = 256
_TEXT_BYTES, _TOKEN_BYTES, _ROW_BYTES = 4, 40, 2000  # at most, of a character, a token and everything else


@dataclass(frozen=True, slots=True)
class Made:
    """The answers to one request, as the server has them; small to hand over, and made into records elsewhere.

    Attributes:
        at_ms: when.
        request_id: of the request.
        client: who asked; None without authentication.
        model: name of the model.
        digest: of its bundle.
        spec: its own.
        readings: of the texts.
        answers: makes the answers, if they are not made yet.
        role: whether the client got them.
        embeddings: of some of the texts, by their index.
    """

    at_ms: int
    request_id: str
    client: str | None
    model: str
    digest: str
    spec: TaskSpec
    readings: Sequence[Reading]
    answers: Callable[[], Sequence[Any]]
    role: str = ANSWER
    embeddings: Mapping[int, Any] = field(default_factory=lambda: NO_EMBEDDINGS)

    @property
    def texts(self) -> int:
        """Number of texts."""
        return len(self.readings)

    @property
    def memory_bytes(self) -> int:
        """What it takes at most while it waits."""
        characters = sum(len(text) for one in self.readings for text in texts_of(one.input))
        tokens = sum(one.read for one in self.readings)
        return _TEXT_BYTES * characters + _TOKEN_BYTES * tokens + _ROW_BYTES * self.texts

    def version(self) -> ModelRecord:
        """The version that answered."""
        return ModelRecord(self.digest, self.model, json.dumps(self.spec.model_dump(mode="json")), self.at_ms)

    def records(self, settings: PredictionSettings, key: bytes) -> list[PredictionRecord]:
        """A record for each text.

        Args:
            settings: what is kept.
            key: of hashes.
        """
        part = task(self.spec.task).feedback
        each = zip(self.answers(), self.readings, strict=True)
        return [
            self._record(item, json.dumps(part.recorded(self.spec, answer)), reading, settings, key)
            for item, (answer, reading) in enumerate(each)
        ]

    def _record(
        self, item: int, answer: str, reading: Reading, settings: PredictionSettings, key: bytes
    ) -> PredictionRecord:
        texts = texts_of(reading.input)
        kept = [redacted_whole(one, settings.redact) for one in texts] if settings.text else None
        return PredictionRecord(
            id=new_id(self.at_ms),
            request_id=self.request_id,
            item=item,
            at_ms=self.at_ms,
            model=self.model,
            digest=self.digest,
            text_hash=text_hash(texts, key),
            characters=sum(map(len, texts)),
            read_tokens=reading.read,
            cut_tokens=reading.cut,
            answer=answer,
            role=self.role,
            output=self.spec.output,
            client=None if self.client is None else client_name(self.client),
            texts=None if kept is None else json.dumps(kept),
            redacted=kept is not None and kept != [*texts],
            embedding=_bytes(self.embeddings.get(item)),
        )


def client_name(client: str) -> str:
    """In characters that every database can hold."""
    return client.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_CLIENT]


def _bytes(embedding: Any) -> bytes | None:
    return None if embedding is None else np.asarray(embedding, dtype="<f4").tobytes()
