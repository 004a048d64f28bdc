from __future__ import annotations

import json

from bertline.statistics.as_json import as_json
from bertline.tasks.history import EpochRecord


def test_json_names_every_field() -> None:
    record = EpochRecord(1, 250, 48.0, 210_000, 0.5, 0.4, {"accuracy": 0.82, "macro_f1": 0.81})
    assert EpochRecord(**json.loads(json.dumps(as_json(record)))) == record
