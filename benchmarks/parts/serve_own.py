"""The engine without a server: how many texts it answers when it has all of them, and how fast it answers one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.servers.contestants import ENGINE
from benchmarks.servers.process import Server
from bertline.inference import load_predictor
from bertline.inference.predictor import TextClassifier

PASSES = 3
SINGLE_TEXTS, WARM_TEXTS = 300, 30


def predictor(bundle: Path) -> TextClassifier:
    """The engine that every server computes with, as our server loads it."""
    return load_predictor(bundle, engine=ENGINE)


def offline(own: TextClassifier, texts: Sequence[str]) -> list[float]:
    """Texts per second of each pass over all texts, after one that is thrown away."""
    rates = []
    for _ in range(PASSES + 1):
        began = time.perf_counter()
        own.predict(texts)
        rates.append(len(texts) / (time.perf_counter() - began))
    return rates[1:]


def single(own: TextClassifier, server: Server, texts: Sequence[str]) -> dict[str, float]:
    """Median milliseconds of one text at a time, in process and over one kept connection, in alternating passes."""
    texts = texts[:SINGLE_TEXTS]
    bodies = [server.contestant.request(text) for text in texts]
    here: list[float] = []
    there: list[float] = []
    with server.client() as client:
        for body in bodies[:WARM_TEXTS]:
            client.json(body)
        own.predict(texts[:WARM_TEXTS])
        for _ in range(PASSES):
            for text in texts:
                began = time.perf_counter()
                own.predict([text])
                here.append(1000 * (time.perf_counter() - began))
            there += [client.ask(body)[2] for body in bodies]
    return {"engine_p50_ms": statistics.median(here), "server_p50_ms": statistics.median(there)}
