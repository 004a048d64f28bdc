from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.data.settings import TableSettings
from bertline.distributed.job import Opened, open_job
from bertline.distributed.labeller import Work, unwatched
from bertline.testing.tiny import VOCABULARY, write_tiny_bundle

WORDS = [word for word in VOCABULARY if word.isalpha()]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that tests only read."""
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target)
    return target


def rows_of(number: int, seed: int = 1) -> list[dict[str, Any]]:
    """Texts of several lengths; some have quotes, line breaks and other alphabets."""
    source = random.Random(seed)
    ends = ("", "\nsecond line", ' "quoted"', " é 日本")
    return [
        {"id": place, "text": " ".join(source.choices(WORDS, k=source.randint(1, 12))) + source.choice(ends)}
        for place in range(number)
    ]


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=50)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


def job(bundle: Path, source: Path | str, target: Path | str, **how: Any) -> Opened:
    given = {name: how.pop(name) for name in ("settings", "top_k", "targets", "candidates") if name in how}
    work = Work(bundle, str(source), str(target), **{"settings": TableSettings(), **given})
    return open_job(work, watch=unwatched, **{"shard_rows": 1, **how})
