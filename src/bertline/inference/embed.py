"""From a bundle to sentence embeddings: the mean of the encoder's last states over a text's tokens.

It is the pooling of Sentence-BERT (Reimers and Gurevych 2019) and the default of ``sentence-transformers``: [CLS] and
[SEP] count, padding does not, and nothing is normalised unless ``normalised`` is asked. The encoder is that of the
bundle's full network in fp32, whatever its head reads and whichever engine answers with labels, so that embeddings
which were stored once stay comparable after ``bertline optimize`` or on another machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bertline.bundle import Bundle, load
from bertline.bundle.engine import FULL
from bertline.bundle.probes import EMBEDDING
from bertline.data.batching import Batch, pad, plan
from bertline.errors import BertlineError, BundleError, EngineWarning
from bertline.inference.lanes import each_batch
from bertline.inference.predictor import BATCH_TOKENS
from bertline.inference.probing import Probing
from bertline.text import Reader, Tokenizer, Truncation

ONNX_BATCH_TOKENS = 512  # what suits the graph, as it does engines: such a batch stays in a core's cache
_ATTEMPTS = 3

Array = np.ndarray[Any, Any]


@runtime_checkable
class EncoderBackend(Protocol):
    """Computes the encoder, on whatever it runs on."""

    @property
    def lanes(self) -> int:
        """How many batches it computes at a time: so many threads may call it at once."""
        ...

    @property
    def dimensions(self) -> int:
        """Width of a state and of an embedding."""
        ...

    def embeddings(self, batch: Batch, *, alone: bool = False) -> Float[Array, "batch hidden"]:
        """The mean state of each text's real tokens; ``alone``: no other thread calls it meanwhile."""
        ...

    def hidden(self, batch: Batch, *, alone: bool = False) -> Float[Array, "batch tokens hidden"]:
        """The last layer's states, without meaning on padding; ``alone`` as above."""
        ...


class Embedder:
    """Embeds texts with the encoder of a bundle.

    Args:
        bundle: gives the name, the version and how long texts are cut.
        tokenizer: the bundle's.
        backend: computes the bundle's encoder.
        batch_tokens: bound on the padded tokens of a batch; a longer text is a batch of its own.
        engine: what the back end is called.
    """

    def __init__(
        self, bundle: Bundle, tokenizer: Tokenizer, backend: EncoderBackend, *, batch_tokens: int, engine: str
    ) -> None:
        manifest = bundle.manifest
        self.name = manifest.name
        self.version = bundle.version
        self.engine = engine
        self.max_tokens = manifest.max_tokens
        self.dimensions = backend.dimensions
        self.lanes = backend.lanes
        self.batch_tokens = batch_tokens
        self._reader = Reader(tokenizer, Truncation(manifest.max_tokens, manifest.truncation))
        self._backend = backend

    def embed(self, texts: Sequence[str]) -> Float[Array, "rows hidden"]:
        """One embedding per text, fp32, in their order; a text's does not depend on the others.

        Raises:
            BundleError: the weights give something else than finite numbers.
        """
        readings = self._reader.read(texts)
        found = np.empty((len(readings), self.dimensions), dtype=np.float32)
        batches = plan([len(one.piece.ids) for one in readings], self.batch_tokens)

        def compute(rows: list[int]) -> None:
            batch = pad([readings[row].piece.ids for row in rows], self._reader.tokenizer.pad_id)
            found[rows] = self.embeddings(batch, alone=len(batches) == 1)

        each_batch(compute, batches, self.lanes)
        return found

    def embeddings(self, batch: Batch, *, alone: bool = False) -> Float[Array, "batch hidden"]:
        """One embedding per row of the batch, fp32; ``alone``: no other batch is being computed.

        Raises:
            BundleError: as ``embed``.
        """
        found = self._backend.embeddings(batch, alone=alone)
        self._check(found)
        return found

    def hidden(self, batch: Batch, *, alone: bool = False) -> Float[Array, "batch tokens hidden"]:
        """The last layer's state of every token, fp32, without meaning on padding; ``alone`` as for ``embeddings``.

        Raises:
            BundleError: as ``embed``.
        """
        found = self._backend.hidden(batch, alone=alone)
        self._check(found)
        return found

    def _check(self, found: Array) -> None:
        if not np.isfinite(found).all():
            raise BundleError(
                f"the weights of {self.name} give a state that is not a finite number: "
                "train it again, or load an earlier version"
            )


def normalised(rows: Float[Array, "*rows hidden"]) -> Float[Array, "*rows hidden"]:
    """Each row divided by its length (L2), so that a dot product is the cosine; a row of zeros stays one.

    >>> normalised(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(rows.astype(np.float64), axis=-1, keepdims=True)
    return np.asarray((rows / np.where(lengths > 0, lengths, 1.0)).astype(rows.dtype))


def load_embedder(
    directory: Path,
    *,
    lanes: int | None = None,
    verify: bool = False,
    device: str = "auto",
    checksum: str | None = None,
) -> Embedder:
    """The embedder of a bundle.

    onnxruntime computes the bundle's ``embedding.onnx``. Where either is missing, PyTorch computes the checkpoint; it
    does too, with an ``EngineWarning``, where the file is there and cannot be used on this machine.

    Args:
        directory: the bundle.
        lanes: batches computed at a time by onnxruntime; None is one per core.
        verify: compare the hash of every file first, for who has not just loaded the bundle's predictor.
        device: where PyTorch computes: ``auto``, ``cpu``, ``cuda``. Only ``auto`` and ``cpu`` try onnxruntime.
        checksum: of the manifest: load the bundle that has it, and no other that came in its place.

    Raises:
        BundleError: the bundle is missing, damaged or another, or neither onnxruntime nor PyTorch can embed with it.
        CheckpointError: its model is not one that bertline computes.
        SettingsError: there is no such device.
    """
    for _ in range(_ATTEMPTS):
        bundle = load(directory, verify=verify, checksum=checksum)
        try:
            embedder = _embedder(bundle, lanes, device)
        except BertlineError:
            if bundle.is_current():
                raise
            continue
        if bundle.is_current():
            return embedder
    raise BundleError(f"{directory} is being replaced again and again: wait until its writer is done")


def _embedder(bundle: Bundle, lanes: int | None, device: str) -> Embedder:
    tokenizer = Tokenizer.from_bundle(bundle.path)
    there = EMBEDDING in bundle.manifest.files
    refused: BundleError | None = None
    if there and device in ("auto", "cpu"):
        try:
            graph = _graph(bundle, tokenizer, lanes)
            return Embedder(bundle, tokenizer, graph, batch_tokens=ONNX_BATCH_TOKENS, engine="onnx")
        except BundleError as error:
            refused = error
    backend = _torch(bundle, device)
    if backend is None:
        raise refused or BundleError(_neither(bundle, there))
    if refused is not None:
        warnings.warn(EngineWarning(f"{refused}; torch embeds instead"), stacklevel=3)
    return Embedder(bundle, tokenizer, backend, batch_tokens=BATCH_TOKENS, engine="torch")


def _neither(bundle: Bundle, there: bool) -> str:
    if there:
        return (
            f"{bundle.path} embeds on a GPU with PyTorch alone, which is not installed: pip install 'bertline[train]'"
        )
    return (
        f"{bundle.path} has no {EMBEDDING}, so it embeds with PyTorch alone, which is not installed: run bertline "
        "optimize on it where PyTorch is, or pip install 'bertline[train]'"
    )


def _graph(bundle: Bundle, tokenizer: Tokenizer, lanes: int | None) -> EncoderBackend:
    """The graph in onnxruntime, once it gives the probe texts the logits that it should.

    Raises:
        BundleError: it does not, or onnxruntime cannot load it or is not installed.
    """
    path = bundle.path / EMBEDDING
    try:
        from bertline.inference.onnx_backend import OnnxEncoder
    except ModuleNotFoundError as error:
        if _package(error) != "onnxruntime":
            raise
        raise BundleError(f"{path} needs onnxruntime, which is not installed: pip install 'bertline[serve]'") from None
    graph = OnnxEncoder(path, lanes=lanes)
    objection = Probing(bundle, tokenizer).objection(graph, FULL, "fp32")
    if objection is not None:
        raise BundleError(
            f"{path}: {objection}: make it again with bertline optimize, or install PyTorch to embed without it "
            "(pip install 'bertline[train]')"
        )
    return graph


def _torch(bundle: Bundle, device: str) -> EncoderBackend | None:
    """The checkpoint in PyTorch; None where that is not installed."""
    try:
        from bertline.inference.torch_backend import TorchBackend
    except ModuleNotFoundError as error:
        if _package(error) not in ("torch", "safetensors"):
            raise
        return None
    return TorchBackend(bundle.path, device=device, precision="fp32")


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]
