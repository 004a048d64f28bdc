"""CTranslate2 as its guide runs BERT for classification: its encoder with the pooler, the last product in numpy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from transformers import AutoTokenizer
from worker_batches import Array, Batch, Loaded, Sorted, in_threads

HEAD = "classifier.npz"
QUANTISATION = {"ctranslate2-fp32": "float32", "ctranslate2-int8": "int8"}


def prepare(kind: str, checkpoint: Path, work: Path, threads: int) -> None:
    """Convert the encoder and keep the classifier's weights beside it."""
    folder = _folder(kind, work)
    source = folder.with_suffix(".source")
    _with_positions(checkpoint, source)
    converter = ctranslate2.converters.TransformersConverter(str(source))
    converter.convert(str(folder), quantization=QUANTISATION[kind], force=True)
    shutil.rmtree(source)
    _save_head(checkpoint, folder / HEAD)


def prepared(kind: str, work: Path) -> bool:
    """Whether ``prepare`` has nothing left to do."""
    return (_folder(kind, work) / HEAD).exists()


def start(kind: str, checkpoint: Path, work: Path, threads: int) -> Sorted:
    """The contestant of ctranslate2-fp32 or ctranslate2-int8."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    return Sorted(Encoder(_folder(kind, work), QUANTISATION[kind], threads), tokenizer)


def _folder(kind: str, work: Path) -> Path:
    return work / kind


def _with_positions(checkpoint: Path, source: Path) -> None:
    """The checkpoint with a key that the converter asks for and that transformers 5 no longer has a default for."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for file in checkpoint.iterdir():
        (source / file.name).symlink_to(file.resolve())
    content = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (source / "config.json").unlink()
    (source / "config.json").write_text(json.dumps(content | {"position_embedding_type": "absolute"}), encoding="utf-8")


def _save_head(checkpoint: Path, path: Path) -> None:
    from safetensors.numpy import load_file

    weights = load_file(checkpoint / "model.safetensors")
    np.savez(path, weight=weights["classifier.weight"], bias=weights["classifier.bias"])


class Encoder:
    """The engine, with its two ways to use the cores: workers in parallel, or threads within one."""

    def __init__(self, folder: Path, compute_type: str, threads: int) -> None:
        with np.load(folder / HEAD) as head:
            self.weight, self.bias = head["weight"].T.copy(), head["bias"]

        def load(inter: int, intra: int) -> Any:
            return ctranslate2.Encoder(
                str(folder), device="cpu", compute_type=compute_type, inter_threads=inter, intra_threads=intra
            )

        self.workers = {
            f"inter_threads={inter}, intra_threads={intra}": (inter, intra)
            for inter, intra in ((1, threads), (threads, 1))
        }
        self.layouts = tuple(self.workers)
        self.encoders = Loaded({name: partial(load, *both) for name, both in self.workers.items()})
        chosen = self.encoders[self.layouts[0]].compute_type
        self.settings = f"compute type {chosen}, pooler within, classifier in numpy, {threads} threads"

    def keep(self, layouts: Collection[str]) -> None:
        """Free the encoders of the other layouts."""
        self.encoders.keep(layouts)

    def run(self, batches: Sequence[Batch], layout: str) -> list[Array]:
        """Logits [rows, labels] of each batch."""
        encoder = self.encoders[layout]

        def logits(batch: Batch) -> Array:
            pooled = np.array(encoder.forward_batch(batch.rows).pooler_output)
            found: Array = pooled @ self.weight + self.bias
            return found

        return in_threads([logits] * self.workers[layout][0], batches)
