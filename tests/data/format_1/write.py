"""Writes the bundle of format 1 in this folder, and its answers; run at commit d9af2c8, when bundles had that format.

From the root of a checkout of that commit: ``PYTHONPATH=src:. python write.py TARGET``, with this file's path.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bertline.inference import load_predictor
from tests.unit.inference.tiny import TEXTS, random_texts, write_tiny_bundle

target = Path(sys.argv[1])
write_tiny_bundle(target / "reviews", engine=True, rows=48, created="2026-11-28T10:00:00Z", metrics={"rows": 48})
texts = [*TEXTS, *random_texts(24, seed=7)]
answers = load_predictor(target / "reviews").predict(texts)
rows = [{"text": text, **asdict(one)} for text, one in zip(texts, answers, strict=True)]
(target / "answers.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
