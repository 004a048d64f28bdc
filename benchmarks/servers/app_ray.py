"""Ray Serve around our engine, with its dynamic batching: ``serve.batch`` in a deployment, as its guide has it.

Options (JSON in BENCHMARK_OPTIONS): ``bundle``, ``engine``, ``port``, ``cores``, ``replicas``, ``lanes`` of each
replica's engine, ``max_batch``, ``wait_s``.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

OPTIONS = json.loads(os.environ["BENCHMARK_OPTIONS"])


@serve.deployment(
    num_replicas=OPTIONS["replicas"],
    max_ongoing_requests=4 * OPTIONS["max_batch"],  # more than one batch, or the next one cannot form meanwhile
    ray_actor_options={"num_cpus": OPTIONS["lanes"]},
)
class Classifier:
    def __init__(self, options: dict[str, Any]) -> None:
        from bertline.inference import load_predictor

        self.predictor = load_predictor(Path(options["bundle"]), engine=options["engine"], lanes=options["lanes"])

    @serve.batch(max_batch_size=OPTIONS["max_batch"], batch_wait_timeout_s=OPTIONS["wait_s"])
    async def answer(self, texts: list[str]) -> list[dict[str, Any]]:
        found = self.predictor.predict(texts)
        return [{"label": one.label, "probability": one.probabilities[one.label]} for one in found]

    async def __call__(self, request: Request) -> Any:
        return await self.answer((await request.json())["text"])


if __name__ == "__main__":
    ray.init(num_cpus=OPTIONS["cores"], include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    serve.start(
        http_options={"host": "127.0.0.1", "port": OPTIONS["port"]},
        logging_config={"enable_access_log": False, "log_level": "WARNING"},
    )
    serve.run(Classifier.bind(OPTIONS), route_prefix="/predict")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()
