"""From a directory to a predictor: verify the bundle, then load an engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bertline.bundle import Bundle, load
from bertline.bundle.engine import FOLDER as MADE
from bertline.bundle.engine import FULL, WORDS, Engine
from bertline.bundle.engine import RESERVED as TORCH
from bertline.bundle.probes import ATTENTIONS, EMBEDDING
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BertlineError, BundleError, EngineWarning, SettingsError, UsageError
from bertline.inference.backend import Backend
from bertline.inference.predictor import BATCH_TOKENS, TextClassifier
from bertline.inference.probing import Probing
from bertline.inference.words_backend import read_words
from bertline.machine.gpu import torch_sees_gpu
from bertline.text import Tokenizer

if TYPE_CHECKING:
    from bertline.bundle.engine import Precision
    from bertline.inference.onnx_backend import OnnxBackend

ONNX_BATCH_TOKENS = 512  # what suits the full network's graph: such a batch stays in a core's cache
_ATTEMPTS = 3
_NO_WORDS = "bertline train keeps the linear model of words where it is better than the encoder on the validation rows"


def load_predictor(
    directory: Path,
    *,
    engine: str | None = None,
    batch_tokens: int | None = None,
    verify: bool = True,
    device: str = "auto",
    lanes: int | None = None,
    checksum: str | None = None,
    output: str = "logits",
) -> TextClassifier:
    """The predictor of a bundle, for one of its outputs.

    Engines are tried in the bundle's order, PyTorch last, or first if it sees a GPU. An engine that cannot be loaded,
    or whose answers to the probe texts are wrong, is skipped with an ``EngineWarning`` that names it.

    Outputs of the full network in fp32 (``TaskSpec.needs_full_network``), like the states of tokens, are none of an
    engine's: onnxruntime computes the bundle's ``embedding.onnx``, and PyTorch the checkpoint where either is missing.
    It does so too, with an ``EngineWarning``, where the file is there and cannot be used on this machine. Outputs that
    show the inside of that network are those of the bundle's ``attentions.onnx``, by onnxruntime alone.

    A bundle that is replaced while it is loaded is loaded again, so that the predictor never mixes two bundles.

    Args:
        directory: the bundle.
        engine: the one to use, without any other in its place; ``torch`` is PyTorch and ``words`` the
            linear model of words.
        batch_tokens: bound on the padded tokens of a batch; else what suits the engine.
        verify: compare the hash of every file first.
        device: where PyTorch computes: ``auto``, ``cpu``, ``cuda``. Only ``auto`` and ``cpu`` try other engines, which
            compute on the CPU, and only ``auto`` looks for a GPU.
        lanes: batches computed at a time by other engines; None is one per core.
        checksum: of the manifest: load the bundle that has it, and no other that came in its place.
        output: what the predictor is going to compute.

    Raises:
        BundleError: the bundle is missing, damaged, another or of a newer format, or no engine can be used.
        CheckpointError: its model is not one that bertline computes.
        SettingsError: there is no such device.
        UsageError: the bundle has no such engine.
    """
    for _ in range(_ATTEMPTS):
        bundle = load(directory, verify=verify, checksum=checksum)
        try:
            loader = _Loader(bundle, device, lanes)
            if not bundle.manifest.task.needs_full_network(output):
                predictor = loader.predictor(engine, batch_tokens)
            elif OUTPUTS[output].inside:
                predictor = loader.inside(batch_tokens)
            else:
                predictor = loader.full_network(batch_tokens)
        except BertlineError:
            if bundle.is_current():
                raise
            continue
        if bundle.is_current():
            for sentence in loader.left_out:  # not before: of a bundle that was being replaced it may be wrong
                warnings.warn(EngineWarning(sentence), stacklevel=2)
            return predictor
    raise BundleError(f"{directory} is being replaced again and again: wait until its writer is done")


class _Loader:
    def __init__(self, bundle: Bundle, device: str, lanes: int | None) -> None:
        self.bundle, self.device, self.lanes = bundle, device, lanes
        self.tokenizer = Tokenizer.from_bundle(bundle.path)
        self.engines = {engine.name: engine for engine in bundle.manifest.engines}
        self.probing = Probing(bundle, self.tokenizer)
        self.left_out: list[str] = []  # what cannot be used here, and why

    def predictor(self, wanted: str | None, batch_tokens: int | None) -> TextClassifier:
        refused: list[str] = []
        ways = list(self._ways(wanted))
        for name, device in ways:
            try:
                predictor = self._classifier(name, device, batch_tokens)
            except (BundleError, SettingsError, _Missing) as error:
                if len(ways) == 1:
                    raise (BundleError(str(error)) if isinstance(error, _Missing) else error) from None
                refused.append(f"the engine {name} of {self.bundle.path} is not used: {error}")
                continue
            self.left_out = [f"{sentence}; {name} answers instead" for sentence in refused]
            return predictor
        raise BundleError("; ".join(refused))

    def full_network(self, batch_tokens: int | None) -> TextClassifier:
        refused: BundleError | None = None
        if EMBEDDING in self.bundle.manifest.files and self.device in ("auto", "cpu"):
            try:
                otherwise = "install PyTorch to embed without it (pip install 'bertline[train]')"
                graph = self._graph(EMBEDDING, otherwise, width_of="embedding")
                return self._composed("onnx", graph, batch_tokens or ONNX_BATCH_TOKENS)
            except (BundleError, _Missing) as error:
                refused = BundleError(str(error))
        try:
            backend = self._torch(self.device, precision="fp32")
        except _Missing:
            raise refused or BundleError(self._neither()) from None
        if refused is not None:
            self.left_out = [f"{refused}; torch embeds instead"]
        return self._composed(TORCH, backend, batch_tokens or BATCH_TOKENS)

    def inside(self, batch_tokens: int | None) -> TextClassifier:
        """What shows the inside of the full network.

        Raises:
            BundleError: the bundle lacks the graph, or it cannot be used here.
        """
        if ATTENTIONS not in self.bundle.manifest.files:
            raise BundleError(
                f"{self.bundle.path} has no {ATTENTIONS}, which shows what its layers compute: run bertline optimize "
                "on it where PyTorch is installed"
            )
        try:
            graph = self._graph(ATTENTIONS, "copy the bundle again from its source")
        except _Missing as error:
            raise BundleError(str(error)) from None
        return self._composed("onnx", graph, batch_tokens or ONNX_BATCH_TOKENS)

    def _neither(self) -> str:
        path = self.bundle.path
        if EMBEDDING in self.bundle.manifest.files:
            return f"{path} embeds on a GPU with PyTorch alone, which is not installed: pip install 'bertline[train]'"
        return (
            f"{path} has no {EMBEDDING}, so it embeds with PyTorch alone, which is not installed: run bertline "
            "optimize on it where PyTorch is, or pip install 'bertline[train]'"
        )

    def _graph(self, file: str, otherwise: str, *, width_of: str | None = None) -> OnnxBackend:
        """A graph of the full network, checked with the probe texts.

        Args:
            file: its name.
            otherwise: what helps other than to make it again.
            width_of: an output whose width it has to declare.

        Raises:
            BundleError: its answers are wrong, or onnxruntime cannot load it.
        """
        path = self.bundle.path / file
        try:
            graph = _onnx(path, "fp32", self.lanes)
        except _Missing:
            raise _Missing(f"{path} needs onnxruntime, which is not installed: pip install 'bertline[serve]'") from None
        if width_of is not None:
            graph.width(width_of)
        objection = self.probing.objection(graph, FULL, "fp32")
        if objection is not None:
            raise BundleError(f"{path}: {objection}: make it again with bertline optimize, or {otherwise}")
        return graph

    def _ways(self, wanted: str | None) -> Iterator[tuple[str, str]]:
        """The engines to try, in order, each with the device for PyTorch."""
        if wanted is None:
            gpu = self.device == "auto" and torch_sees_gpu()
            if gpu:
                yield TORCH, "cuda"
            if self.device in ("auto", "cpu"):
                yield from ((name, "cpu") for name in self.engines)
            yield TORCH, "cpu" if gpu else self.device
        elif wanted in (names := self.bundle.manifest.engine_names):
            yield wanted, self.device
        else:
            more = _NO_WORDS if wanted == WORDS else "bertline optimize makes others"
            raise UsageError(f"{self.bundle.path} has no engine {wanted}: it has {', '.join(names)}; {more}")

    def _classifier(self, name: str, device: str, batch_tokens: int | None) -> TextClassifier:
        engine, suits = self.engines.get(name), BATCH_TOKENS
        if engine is not None:
            backend, suits = self._backend(engine), engine.batch_tokens
        else:
            backend = read_words(self.bundle.path) if name == WORDS else self._torch(device)
        return self._composed(name, backend, batch_tokens or suits)

    def _composed(self, engine: str, backend: Backend, batch_tokens: int) -> TextClassifier:
        return TextClassifier(self.bundle, self.tokenizer, backend, batch_tokens=batch_tokens, engine=engine)

    def _backend(self, engine: Engine) -> Backend:
        if engine.kind == "cascade":
            from bertline.inference.cascade import Cascade

            first, second = (self._backend(self._part(engine, name)) for name in engine.parts)
            return Cascade(
                first, second, threshold=engine.threshold or 0.0, temperature=self.bundle.manifest.temperature
            )
        backend = _onnx(self.bundle.path / str(engine.file), engine.precision, self.lanes)
        self._check(backend, engine)
        return backend

    def _check(self, backend: Backend, engine: Engine) -> None:
        """Check an engine with the probe texts.

        Raises:
            BundleError: it does not.
        """
        objection = self.probing.objection(backend, engine.network, engine.precision)
        if objection is not None:
            verb = "optimize" if str(engine.file).startswith(f"{MADE}/") else "train"
            raise BundleError(f"{objection}: make the engine again with bertline {verb}")

    def _part(self, engine: Engine, name: str) -> Engine:
        part = self.engines.get(name)
        if part is None or part.kind == "cascade":
            raise BundleError(f"its part {name} is not an engine of the bundle: make it again with bertline optimize")
        return part

    def _torch(self, device: str, precision: Literal["auto", "fp32"] = "auto") -> Backend:
        try:
            from bertline.inference.torch_backend import TorchBackend
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("torch", "safetensors"):
                raise
            raise _Missing(
                f"{self.bundle.path} needs PyTorch to answer and {error.name} is not installed: "
                "pip install 'bertline[train]'"
            ) from None
        return TorchBackend(self.bundle.path, device=device, precision=precision)


def _onnx(file: Path, precision: Precision, lanes: int | None) -> OnnxBackend:
    try:
        from bertline.inference.onnx_backend import OnnxBackend
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "onnxruntime":
            raise
        raise _Missing("onnxruntime is not installed: pip install 'bertline[serve]'") from None
    return OnnxBackend(file, precision=precision, lanes=lanes)


class _Missing(Exception):
    """A library that an engine needs is not installed; the message says which."""
