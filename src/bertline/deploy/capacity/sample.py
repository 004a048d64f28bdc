"""The texts that a plan is made for: their requests, and the tokens that the network reads of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertline.bundle import load
from bertline.bundle.reference import read_reference
from bertline.data.corpus import inputs_of
from bertline.data.rows import BadRows
from bertline.data.settings import TableSettings
from bertline.errors import BundleError, DataError
from bertline.text import Input, Piece, Reader, Tokenizer, Truncation
from bertline.text.reading import texts_of

MOST_TEXTS = 2_000
SEED = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts of a model, one a request.

    Attributes:
        source: where they are from, for people.
        bodies: of requests to ``/v1/predict``.
        pieces: that the network reads of each text; several where long texts are read in windows.
        engines: of the bundle, the default one first.
        pad_id: of the tokenizer.
        output: of the network.
    """

    source: str
    bodies: tuple[str, ...]
    pieces: tuple[tuple[Piece, ...], ...]
    engines: tuple[str, ...]
    pad_id: int
    output: str

    @property
    def requests(self) -> list[tuple[int, ...]]:
        """Tokens of each piece of each request."""
        return [tuple(len(one.ids) for one in pieces) for pieces in self.pieces]

    def tokens(self, share: float) -> int:
        """A quantile of the tokens of pieces."""
        lengths = [length for request in self.requests for length in request]
        return int(np.quantile(lengths, share, method="inverted_cdf"))


def read_sample(bundle: Path, texts: str | None) -> Sample:
    """The texts of a file, or else the bundle's own held-out ones.

    Raises:
        BundleError: the bundle cannot be used, or has no texts of its own.
        DataError: the file cannot be used, or has no texts.
    """
    one = load(bundle)
    manifest = one.manifest
    tokenizer = Tokenizer.from_bundle(one.path)
    spec = manifest.task.with_tokenizer(tokenizer)
    if texts is None:
        inputs: Sequence[Input] = read_reference(one.path, "test", spec.names).inputs
        inputs = inputs or read_reference(one.path, "validation", spec.names).inputs
        source = f"the bundle's {len(inputs):,} held-out texts"
        if not inputs:
            raise BundleError(f"{bundle} carries no held-out texts to measure with: give yours with --texts FILE")
    else:
        inputs = _texts_of_file(texts)
        source = f"{len(inputs):,} texts of {Path(texts).name}"
    inputs = [_as_read(one, pairs=spec.pairs, required=spec.required) for one in _spread(inputs)]
    reader = Reader(tokenizer, Truncation(manifest.max_tokens, manifest.truncation), offsets=spec.offsets)
    engines = tuple(engine.name for engine in manifest.engines)
    if not engines:
        raise BundleError(f"{bundle} has no engine to serve with: run bertline optimize {bundle}")
    pieces = tuple(tuple(reading.pieces) for reading in reader.read(inputs))
    return Sample(source, tuple(map(_body, inputs)), pieces, engines, tokenizer.pad_id, spec.output)


def _texts_of_file(source: str) -> list[Input]:
    bad = BadRows(source)
    inputs = [text for _, text in inputs_of(source, TableSettings(), bad) if str(text).strip()]
    if bad:
        raise bad.error(skipped=False)
    if not inputs:
        raise DataError(f"{source} has no texts: give rows with a text")
    return inputs


def _spread(inputs: Sequence[Input]) -> list[Input]:
    """All, or as many as are enough, in a random order."""
    order = np.random.default_rng(SEED).permutation(len(inputs))
    return [inputs[place] for place in order[:MOST_TEXTS]]


def _as_read(one: Input, *, pairs: bool, required: str) -> Input:
    """As the task reads it: one text of a pair that was for training, a text with the [MASK] that it needs."""
    texts = texts_of(one)
    if pairs and len(texts) > 1:
        return texts[0], texts[1]
    return texts[0] if required in texts[0] else f"{required} {texts[0]}"


def _body(one: Input) -> str:
    names = ("text", "text_pair")
    content: dict[str, Any] = dict(zip(names, texts_of(one), strict=False))
    return json.dumps(content)
