from __future__ import annotations

from pathlib import Path

import pytest

from bertline.testing.tiny import tiny_tokenizer
from tests.unit.training.conftest import sentences


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tokenizer alone."""
    directory = tmp_path_factory.mktemp("vocabularies") / "tiny"
    directory.mkdir()
    tiny_tokenizer().save(directory)
    return directory


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a text on each line."""
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    path.write_text("".join(f"{text}\n" for text, _ in sentences(400, seed=5)))
    return path
