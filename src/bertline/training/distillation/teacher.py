"""The teacher: a bundle's network, and its answers to texts, stored on disk so that it reads them once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle import Bundle, load
from bertline.bundle.reference import ReferenceRows
from bertline.data.targets import Target
from bertline.encoder.checkpoint import load_classifier
from bertline.encoder.heads import Classifier
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import UsageError
from bertline.tasks.contract import TaskSpec
from bertline.text import Reader, Tokenizer, Truncation
from bertline.text.reading import Input
from bertline.training.device import Placement
from bertline.training.distillation.distance import Answers, Units
from bertline.training.distillation.transfer import Transfer, fingerprint
from bertline.training.progress import Progress
from bertline.training.rows import Rows
from bertline.training.scoring import score, scored

FOLDER = ".teacher-answers"  # beside --out

Array = np.ndarray[Any, Any]


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
            UsageError: it has no labels, so there are no logits to learn from.
        """
        bundle = load(directory)
        if not bundle.manifest.labels:
            raise UsageError(
                f"{directory} is a bundle for the task {bundle.manifest.task.task}, which has no logits for a student "
                "to learn from: train a smaller --model on the table, or optimize the bundle"
            )
        classifier = load_classifier(bundle.path).eval().requires_grad_(False)
        return cls(bundle, classifier, Tokenizer.from_bundle(bundle.path))

    @property
    def spec(self) -> TaskSpec:
        """The spec of its task, which the student shares."""
        return self.bundle.manifest.task

    def transfer_rows(self, transfer: Transfer) -> Rows:
        """The transfer texts as rows for the loop."""
        return self._rows(transfer.inputs, (), transfer.lines)

    def held_out_rows(self, rows: ReferenceRows) -> Rows:
        """Held-out rows as rows for the loop."""
        return self._rows(rows.inputs, rows.targets, range(1, len(rows) + 1))

    def _rows(self, inputs: Sequence[Input], targets: Sequence[Target], lines: Sequence[int]) -> Rows:
        manifest = self.bundle.manifest
        truncation = Truncation(manifest.max_tokens, manifest.truncation)
        offsets = self.spec.offsets or OUTPUTS[self.spec.output].by_token
        reader = Reader(self.tokenizer, truncation, offsets=offsets)
        return Rows(reader.read(inputs), targets, lines, self.tokenizer.pad_id)

    def answers(self, rows: Rows, placement: Placement, out: Path, progress: Progress) -> Answers:
        """The teacher's output for each row, from the file beside ``out`` if an earlier run stored it there.

        It depends on the bundle, the texts and the precision alone, so a resumed run or one with other settings can use
        it. The file is memory-mapped, so the answers may exceed the memory.
        """
        kind, count = str(placement.precision).removeprefix("torch."), len(rows.readings)
        texts = fingerprint([one.input for one in rows.readings])[:16]
        path = out.parent / FOLDER / f"{self.bundle.version}-{texts}-{kind}.npy"
        units = Units.of(rows, self.classifier.output)
        shape = (len(units), self.classifier.labels)
        stored = _stored(path, shape)
        if stored is not None:
            progress.note(f"The teacher's answers to {count:,} texts are in {path}")
            return Answers(stored, units)
        progress.note(f"The teacher reads {count:,} texts ({sum(rows.lengths):,} tokens)")
        began = time.monotonic()
        self.classifier.to(placement.device)
        with _stored_at(path, shape, progress) as flat, placement.computing():
            for i, one in scored(self.classifier, rows, placement.device):
                flat[units.starts[i] : units.starts[i + 1]] = one
        progress.note(f"The teacher has answered, in {time.monotonic() - began:.0f} s")
        return Answers(flat, units)

    def exact_answers(self, rows: Rows, placement: Placement) -> list[Array]:
        """The output for each row in fp32, as the bundle answers."""
        return score(self.classifier.to(placement.device), rows, placement.device)


def _stored(path: Path, shape: tuple[int, int]) -> Array | None:
    with contextlib.suppress(OSError, ValueError, EOFError):
        stored: Array = np.load(path, mmap_mode="r")
        if stored.shape == shape and stored.dtype == np.float32:
            return stored
    return None


@contextlib.contextmanager
def _stored_at(path: Path, shape: tuple[int, int], progress: Progress) -> Iterator[Array]:
    """An array to fill, which becomes the file ``path``; without room on the disk it stays in memory."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flat: Array = np.lib.format.open_memmap(fresh, mode="w+", dtype=np.float32, shape=shape)
        with fresh.open("r+b") as file:  # a page without room on the disk would end the process
            os.posix_fallocate(file.fileno(), 0, fresh.stat().st_size)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        progress.note(f"note: the teacher's answers cannot be stored in {path} ({error.strerror})")
        yield np.empty(shape, dtype=np.float32)
        return
    try:
        yield flat
        flat.flush()  # type: ignore[attr-defined]
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
