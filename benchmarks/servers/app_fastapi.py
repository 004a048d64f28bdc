"""FastAPI around a transformers pipeline, as people write it: a ``def`` endpoint that calls the pipeline.

FastAPI runs such an endpoint in a pool of 40 threads, and torch computes each call with all cores unless told to use
fewer.
Options (JSON in BENCHMARK_OPTIONS): ``bundle``, ``port``, ``torch_threads`` (0 leaves torch's default).
"""

from __future__ import annotations

import json
import os
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

OPTIONS = json.loads(os.environ["BENCHMARK_OPTIONS"])
if OPTIONS["torch_threads"]:
    torch.set_num_threads(OPTIONS["torch_threads"])

app = FastAPI()
classifier = pipeline("text-classification", model=OPTIONS["bundle"], device="cpu", dtype=torch.float32)


class Question(BaseModel):
    text: str


@app.post("/predict")
def predict(question: Question) -> Any:
    return classifier(question.text, truncation=True)[0]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=OPTIONS["port"], log_level="warning", access_log=False)
