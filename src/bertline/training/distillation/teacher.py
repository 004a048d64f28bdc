"""The teacher: a bundle's network, and its answers to texts, kept on disk so that it reads them once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bertline.bundle import Bundle, load
from bertline.bundle.reference import ReferenceRows
from bertline.data.targets import Target
from bertline.encoder.checkpoint import load_classifier
from bertline.encoder.heads import Classifier
from bertline.encoder.weights import write_tensors
from bertline.text import Reader, Tokenizer, Truncation
from bertline.text.reading import Input
from bertline.training.device import Placement
from bertline.training.distillation.transfer import Transfer, fingerprint
from bertline.training.loop import score
from bertline.training.progress import Progress
from bertline.training.rows import Rows

FOLDER = ".teacher-answers"  # beside --out


@dataclass(frozen=True)
class Teacher:
    """A bundle with its network and its tokenizer."""

    bundle: Bundle
    classifier: Classifier
    tokenizer: Tokenizer

    @classmethod
    def load(cls, directory: Path) -> Teacher:
        """Verify and load a bundle.

        Raises:
            BundleError, CheckpointError: it is damaged, or its network is not one that bertline computes.
        """
        bundle = load(directory)
        classifier = load_classifier(bundle.path).eval().requires_grad_(False)
        return cls(bundle, classifier, Tokenizer.from_bundle(bundle.path))

    def transfer_rows(self, transfer: Transfer) -> Rows:
        """Transfer texts as the loop takes them."""
        return self._rows(transfer.texts, (), transfer.lines)

    def held_out_rows(self, rows: ReferenceRows) -> Rows:
        """Held-out rows likewise."""
        return self._rows(rows.inputs, rows.targets, range(1, len(rows) + 1))

    def _rows(self, texts: Sequence[Input], targets: Sequence[Target], lines: Sequence[int]) -> Rows:
        manifest = self.bundle.manifest
        truncation = Truncation(manifest.max_tokens, manifest.truncation)
        return Rows(Reader(self.tokenizer, truncation).read(texts), targets, lines, self.tokenizer.pad_id)

    def answers(
        self, texts: Sequence[str], rows: Rows, placement: Placement, out: Path, progress: Progress
    ) -> np.ndarray[Any, Any]:
        """Logits of each text, [rows, labels], from the file beside ``out`` where they are kept, if they are there.

        They depend on the bundle, the texts and the precision alone: a resumed run and one with other settings find
        them again.
        """
        kind = str(placement.precision).removeprefix("torch.")
        path = out.parent / FOLDER / f"{self.bundle.version}-{fingerprint(texts)[:16]}-{kind}.safetensors"
        shape = (len(rows), self.classifier.labels)
        with contextlib.suppress(OSError, SafetensorError, KeyError):
            kept = load_file(path)["logits"]
            if kept.shape == shape:
                progress.note(f"The teacher's answers to {len(rows):,} texts are in {path}")
                return kept
        progress.note(f"The teacher reads {len(rows):,} texts ({sum(rows.lengths):,} tokens)")
        began = time.monotonic()
        self.classifier.to(placement.device)
        with placement.computing():
            logits = np.stack(score(self.classifier, rows, placement.device))
        progress.note(f"The teacher has answered, in {time.monotonic() - began:.0f} s")
        try:
            _keep(path, logits)
        except OSError as error:  # the answers are here all the same
            progress.note(f"note: the teacher's answers cannot be kept in {path} ({error.strerror})")
        return logits

    def exact_answers(self, rows: Rows, placement: Placement) -> np.ndarray[Any, Any]:
        """Logits in fp32, as the bundle answers."""
        self.classifier.to(placement.device)
        return np.stack(score(self.classifier, rows, placement.device))


def _keep(path: Path, logits: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        write_tensors(fresh, {"logits": torch.from_numpy(logits)})
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
