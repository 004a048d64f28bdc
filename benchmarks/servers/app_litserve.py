"""LitServe around our engine, with its batching: ``max_batch_size`` and ``batch_timeout`` of its guide.

Options (JSON in BENCHMARK_OPTIONS): ``bundle``, ``engine``, ``port``, ``workers``, ``lanes`` of each worker's engine,
``max_batch``, ``wait_s``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import litserve

from bertline.inference import load_predictor

OPTIONS = json.loads(os.environ["BENCHMARK_OPTIONS"])


class Classifier(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.predictor = load_predictor(Path(OPTIONS["bundle"]), engine=OPTIONS["engine"], lanes=OPTIONS["lanes"])

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe takes an annotation for a schema
        return str(request["text"])

    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        found = self.predictor.predict(texts)
        return [{"label": one.label, "probability": one.probabilities[one.label]} for one in found]

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Classifier(max_batch_size=OPTIONS["max_batch"], batch_timeout=OPTIONS["wait_s"], api_path="/predict"),
        accelerator="cpu",
        workers_per_device=OPTIONS["workers"],
        fast_queue=True,  # "for high-throughput scenarios (> 100 requests per second)"
        timeout=False,
    )
    server.run(
        host="127.0.0.1",
        port=OPTIONS["port"],
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
