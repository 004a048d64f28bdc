from __future__ import annotations

from pathlib import Path

import pytest

from bertline.bundle import Manifest, writing

FILES = {
    "config.json": b'{"model_type": "bert"}\n',
    "model.safetensors": bytes(range(256)),
    "report/report.html": b"<p>",
}


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        name="reviews",
        labels=("negative", "positive"),
        max_tokens=256,
        truncation="head_tail",
        pooling="cls",
        temperature=1.25,
        created="2026-11-20T10:00:00Z",
    )


@pytest.fixture
def bundle(tmp_path: Path, manifest: Manifest) -> Path:
    """A small bundle whose files are no real model: the store does not look inside."""
    return write(tmp_path / "reviews", manifest)


def write(target: Path, manifest: Manifest, *, overwrite: bool = False, marker: bytes = b"one") -> Path:
    with writing(target, manifest, overwrite=overwrite) as staging:
        (staging / "report").mkdir()
        for path, content in {**FILES, "vocab.txt": marker}.items():
            (staging / path).write_bytes(content)
    return target
