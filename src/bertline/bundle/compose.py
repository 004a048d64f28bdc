"""The one writer of bundles: every part in its place, the model card last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bertline.bundle.card import model_card
from bertline.bundle.engine import FOLDER
from bertline.bundle.manifest import Manifest
from bertline.bundle.probes import Probes
from bertline.bundle.reference import ReferenceRows, Split, write_reference, write_token_counts
from bertline.bundle.seen import write_seen
from bertline.bundle.store import Bundle, writing
from bertline.encoder.sentence import write_length
from bertline.text import Input, Tokenizer

Writer = Callable[[Path], object]  # writes files into the directory that it is given


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of, beside its manifest. A part that is None or empty is left out.

    Attributes:
        base: an older bundle; its files are copied, except for its engines.
        network: writes the checkpoint and the graphs.
        tokenizer: of the network.
        engines: write further files of engines.
        probes: of the network.
        reference: held-out rows by split.
        trained: ids of the training texts, of which the bundle keeps counts.
        seen: texts that trained or chose the model, of which the bundle keeps hashes.
        report: writes into ``report/``.
    """

    base: Bundle | None = None
    network: Writer | None = None
    tokenizer: Tokenizer | None = None
    engines: Sequence[Writer] = ()
    probes: Probes | None = None
    reference: Mapping[Split, ReferenceRows] = field(default_factory=dict)
    trained: Iterable[Sequence[int]] | None = None
    seen: Iterable[Input] | None = None
    report: Writer | None = None


def compose(out: Path, manifest: Manifest, parts: Parts, *, overwrite: bool = False) -> None:
    """Write the bundle ``out``, whole or not at all.

    Raises:
        BundleError: ``out`` exists.
        DestinationError: the disk refused.
    """
    with writing(out, manifest, overwrite=overwrite) as staging:
        if parts.base is not None:
            _copy(parts.base, staging)
        if parts.network is not None:
            parts.network(staging)
        if parts.tokenizer is not None:
            parts.tokenizer.save(staging, max_tokens=manifest.max_tokens)
        if manifest.task.output == "embedding":
            write_length(staging, manifest.max_tokens)
        (staging / FOLDER).mkdir(exist_ok=True)
        for write in parts.engines:
            write(staging)
        if parts.probes is not None:
            parts.probes.write(staging)
        for split, rows in parts.reference.items():
            write_reference(staging, split, rows)
        if parts.trained is not None:
            write_token_counts(staging, parts.trained)
        if parts.seen is not None:
            write_seen(staging, parts.seen)
        if parts.report is not None:
            parts.report(staging / "report")
        (staging / "README.md").write_text(model_card(manifest, *_mask(manifest, staging)), encoding="utf-8")


def _mask(manifest: Manifest, directory: Path) -> tuple[str, ...]:
    """What stands for a word to fill in, of a model that fills in words."""
    if manifest.task.output != "vocabulary":
        return ()
    return (manifest.task.with_tokenizer(Tokenizer.from_directory(directory)).required,)


def _copy(base: Bundle, staging: Path) -> None:
    for path in base.manifest.files:
        if not path.startswith(f"{FOLDER}/"):
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(base.path / path, staging / path)
