from __future__ import annotations

from pathlib import Path

import pytest

from bertline.testing.tiny import random_texts, write_tiny_bundle

LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle with an fp32 engine, the graph of embeddings and held-out rows."""
    target = tmp_path_factory.mktemp("library") / "reviews"
    write_tiny_bundle(target, engine=True, rows=40)
    return target


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 rows of words without meaning, a label each."""
    target = tmp_path_factory.mktemp("library") / "reviews.csv"
    rows = [f'"{text}",{LABELS[place % 3]}' for place, text in enumerate(random_texts(90, seed=5))]
    target.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return target
