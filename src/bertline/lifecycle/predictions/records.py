"""What is kept of predictions, as values: without a database behind them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bertline.errors import BertlineError

# Why a prediction is worth a label: the one it has looks wrong; a shadow answered otherwise; its text is unlike those
# that the model was measured on; the model was not sure; another person has labelled it, and the two can be compared.
Why = Literal["label error", "disagreement", "foreign", "unsure", "second opinion"]
REVIEW = "review"  # source of feedback on texts that were chosen because their answers may be wrong
ANSWER, SHADOW = "answer", "shadow"  # roles of a prediction: it was the answer to its client, or only for comparison


class PredictionStoreError(BertlineError):
    """The store of predictions cannot be reached, read or written."""


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


def first_id(at_ms: int) -> str:
    """Ids of this moment and of later ones are not less, and earlier ones are: a range of times is a range of ids.

    >>> first_id(1_000) < new_id(1_000) < first_id(1_001)
    True
    """
    return f"{max(0, at_ms):012x}"


def now_ms() -> int:
    """The time of day."""
    return time.time_ns() // 1_000_000


def ms_of(moment: datetime | None) -> int:
    """A moment with its time zone; None is the beginning."""
    return 0 if moment is None else round(1000 * moment.timestamp())
