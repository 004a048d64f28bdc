"""BentoML around our engine, with its adaptive batching: a batchable API, as its guide has it.

    bentoml serve app_bentoml:Classifier --working-dir … --port …

Options (JSON in BENCHMARK_OPTIONS): ``bundle``, ``engine``, ``workers``, ``lanes`` of each worker's engine,
``max_batch``, ``max_latency_ms``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import bentoml

from bertline.inference import load_predictor

OPTIONS = json.loads(os.environ["BENCHMARK_OPTIONS"])


@bentoml.service(workers=OPTIONS["workers"], logging={"access": {"enabled": False}})
class Classifier:
    def __init__(self) -> None:
        self.predictor = load_predictor(Path(OPTIONS["bundle"]), engine=OPTIONS["engine"], lanes=OPTIONS["lanes"])

    @bentoml.api(
        batchable=True, max_batch_size=OPTIONS["max_batch"], max_latency_ms=OPTIONS["max_latency_ms"], route="/predict"
    )
    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        found = self.predictor.predict(texts)
        return [{"label": one.label, "probability": one.probabilities[one.label]} for one in found]
