from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from bertline.lifecycle.predictions.kept import KeptAnswer, kept_answers, kept_texts
from bertline.lifecycle.predictions.records import SHADOW, now_ms
from tests.kept import HOUR_MS, NEW, OLD, keep, store_in, sure


def test_texts_are_those_that_clients_sent_to_the_model(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        old = now_ms() - 48 * HOUR_MS
        keep(store, [sure("good")] * 2, texts=["old one", "old two"], at_ms=old, request="o")
        keep(store, [sure("good")] * 2, texts=["new", ("a pair", "of texts")], request="n")
        keep(store, [sure("good")], texts=["other"], model="other", request="m")
        keep(store, [sure("good")], texts=["mirrored"], role=SHADOW, request="s")
        assert kept_texts(store, "reviews", most=10) == (["old one", "old two", "new", ("a pair", "of texts")], 0, 0)
        since = datetime.fromtimestamp((now_ms() - 24 * HOUR_MS) / 1000, UTC)
        assert kept_texts(store, "reviews", (since, None), most=10)[0] == ["new", ("a pair", "of texts")]
        assert kept_texts(store, "reviews", (None, since), most=10)[0] == ["old one", "old two"]
        some = kept_texts(store, "reviews", most=2)[0]
        assert len(some) == 2
        assert kept_texts(store, "reviews", most=2)[0] == some


def test_a_sample_is_drawn_from_all_times_and_another_seed_draws_another(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        texts = [f"text {n}" for n in range(300)]
        keep(store, [sure("good")] * 300, texts=texts)
        drawn = [kept_texts(store, "reviews", most=60, seed=seed)[0] for seed in (0, 1, 12)]
    assert len({*map(tuple, drawn)}) == 2  # there are twelve
    for some in drawn:
        places = [texts.index(one) for one in some]  # type: ignore[arg-type]
        assert places == sorted({*places})
        thirds = [sum(100 * n <= place < 100 * n + 100 for place in places) for n in range(3)]
        assert min(thirds) >= 5  # 20 on average; fewer than 5 in one of 100,000 draws


def test_what_is_missing_or_redacted_is_counted(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")] * 3, request="without")
        keep(store, [sure("good")], texts=["call [phone]"], redacted=True, request="redacted")
        assert kept_texts(store, "reviews", most=10) == (["call [phone]"], 3, 1)


def test_answers_are_those_of_one_version(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good")], digest=OLD, request="old")
        keep(store, [sure("bad"), sure("good")], digest=NEW, request="new", embedding=b"\0\0\x80?")
        keep(store, [sure("good")], digest=NEW, role=SHADOW, request="mirrored")
        found = kept_answers(store, "reviews", NEW, most=10)
        assert [json.loads(one.answer)["label"] for one in found] == ["bad", "good"]
        assert found[0] == KeptAnswer(json.dumps(sure("bad")), 7, 0, b"\0\0\x80?")
        assert len(kept_answers(store, "reviews", NEW, most=1)) == 1
