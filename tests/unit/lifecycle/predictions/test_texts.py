from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bertline.lifecycle.predictions.records import SHADOW, now_ms
from bertline.lifecycle.predictions.texts import kept_texts
from tests.kept import HOUR_MS, keep, store_in, sure


def test_texts_are_those_that_clients_sent_to_the_model(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        old = now_ms() - 48 * HOUR_MS
        keep(store, [sure("good")] * 2, texts=["old one", "old two"], at_ms=old, request="o")
        keep(store, [sure("good")] * 2, texts=["new", ("a pair", "of texts")], request="n")
        keep(store, [sure("good")], texts=["other"], model="other", request="m")
        keep(store, [sure("good")], texts=["mirrored"], role=SHADOW, request="s")
        assert kept_texts(store, "reviews", most=10) == (["old one", "old two", "new", ("a pair", "of texts")], 0, 0)
        since = datetime.fromtimestamp((now_ms() - 24 * HOUR_MS) / 1000, UTC)
        assert kept_texts(store, "reviews", since, most=10)[0] == ["new", ("a pair", "of texts")]
        some = kept_texts(store, "reviews", most=2)[0]
        assert len(some) == 2
        assert kept_texts(store, "reviews", most=2)[0] == some


def test_what_is_missing_or_redacted_is_counted(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")] * 3, request="without")
        keep(store, [sure("good")], texts=["call [phone]"], redacted=True, request="redacted")
        assert kept_texts(store, "reviews", most=10) == (["call [phone]"], 3, 1)
