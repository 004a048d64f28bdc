"""What trainings of several processes start from, and what they are compared by."""

from __future__ import annotations

from pathlib import Path

from bertline.encoder.checkpoint import save_encoder
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from tests.unit.training.conftest import sentences, write_csv


def prepare(folder: Path, table: str, rows: int) -> None:
    """A table of so many rows, and an encoder in ``model``."""
    (folder / "model").mkdir()
    save_encoder(folder / "model", tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    tiny_tokenizer().save(folder / "model")
    write_csv(folder / table, sentences(rows))


def weights(out: Path) -> bytes:
    """Of the model that was trained."""
    return (out / "model.safetensors").read_bytes()
