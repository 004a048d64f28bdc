from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions.store import open_store
from tests.kept import store_in
from tests.service.postgres import new_database, postgres_url

__all__ = ["postgres_url"]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty store, in a file and in a real PostgreSQL."""
    if request.param == "sqlite":
        with store_in(tmp_path) as store:
            yield store
    else:
        with open_store(new_database(request.getfixturevalue("postgres_url"))) as store:
            yield store
