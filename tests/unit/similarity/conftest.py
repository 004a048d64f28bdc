from __future__ import annotations

from pathlib import Path

import pytest

from bertline.data.settings import TableSettings
from bertline.similarity.build import build_index
from bertline.similarity.index import Index
from bertline.testing.tiny import random_texts, write_tiny_bundle

TEXTS = [*random_texts(60, seed=4), "a film", "a film", "it is so"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that tests only read."""
    target = tmp_path_factory.mktemp("similarity") / "reviews"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with an id beside each text; the first text is on line 2."""
    path = tmp_path_factory.mktemp("similarity") / "texts.csv"
    path.write_text("id,text\n" + "".join(f'{number:03},"{text}"\n' for number, text in enumerate(TEXTS)))
    return path


@pytest.fixture(scope="session")
def index(bundle: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Of the table."""
    return build_index(bundle, str(table), tmp_path_factory.mktemp("similarity") / "index", TableSettings())
