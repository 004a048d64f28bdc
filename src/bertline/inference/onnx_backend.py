"""The network in onnxruntime, without torch: the floor's only file that imports it.

Small batches, one thread each, as many at a time as there are cores: batches of 512 padded tokens stay in a core's
cache, and threads that share no batch never wait for each other. Only a batch that comes alone and is long enough is
computed by all cores; below that their meeting costs more than it saves (docs/log.md). Threads that wait do not spin:
on a busy machine spinning threads keep the others from the work they wait for.

Eight-bit products are right on every processor. x86 before VNNI multiplies unsigned by signed bytes in pairs and adds
each pair in 16 bits (``vpmaddubsw``), where weights beyond 7 bits overflow. onnxruntime can compute those products in
another way, which is exact and slower, but only on request: so it is asked for wherever one product shows the fault.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from jaxtyping import Float

from bertline.bundle.engine import Precision
from bertline.data.batching import Batch
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BundleError
from bertline.machine.cores import usable_cores

# Where somebody imported it before bertline, the environment variable came too late (``bertline.__init__``).
onnxruntime.disable_telemetry_events()

# onnxruntime would put these fused operators in the place of ours, which are faster (``bundle.exporter``).
_SLOWER = ["SkipLayerNormFusion", "BiasGeluFusion", "EmbedLayerNormFusion"]

# Padded tokens from which a batch that comes alone is computed by all cores.
WIDE_TOKENS: dict[Precision, int] = {"fp32": 32, "int8": 192}


_NAMES = {"hidden": "states"}  # what graphs of format 1 call an output

# The graph of one product, y = a · b with unsigned a and signed b, as onnx writes it: serving has no onnx.
_PRODUCT = (
    b'\x08\n:b\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInteger\x12\x01gZ\x15\n\x01a\x12\x10\n\x0e\x08\x02\x12\n\n\x03\x12\x01m\n\x03'
    b"\x12\x01kZ\x15\n\x01b\x12\x10\n\x0e\x08\x03\x12\n\n\x03\x12\x01k\n\x03\x12\x01nb\x15\n\x01y\x12\x10\n\x0e\x08\x06\x12\n\n\x03\x12"
    b"\x01m\n\x03\x12\x01nB\x04\n\x00\x10\n"
)


class OnnxBackend:
    """A graph of the bundle in onnxruntime; ``compute`` may be called from several threads at once.

    Args:
        path: the model file; weights that it refers to lie beside it.
        precision: of its products; says from which length on all cores compute one batch.
        lanes: batches computed at a time; None is one per core that this process may use.

    Raises:
        BundleError: onnxruntime cannot load the file.
    """

    def __init__(self, path: Path, *, precision: Precision = "fp32", lanes: int | None = None) -> None:
        self._path, self._wide_tokens = path, WIDE_TOKENS[precision]
        self.lanes = lanes or usable_cores()
        self._narrow = _session(path, threads=1)
        self._wide: onnxruntime.InferenceSession | None = None
        self._lock = threading.Lock()
        self._names = {_NAMES.get(node.name, node.name): node.name for node in self._narrow.get_outputs()}
        self._takes_segments = "segments" in {node.name for node in self._narrow.get_inputs()}

    @property
    def outputs(self) -> frozenset[str]:
        """What the graph computes."""
        return frozenset(self._names) & frozenset(OUTPUTS)

    def compute(
        self, batch: Batch, output: str = "logits", *, alone: bool = False
    ) -> Float[np.ndarray[Any, Any], "batch *axes"]:
        """One output for each text of the batch; ``alone``: no other batch is being computed.

        Raises:
            BundleError: the file has other inputs or outputs than these, or onnxruntime fails at this batch.
        """
        if batch.segments is not None and not self._takes_segments:
            raise BundleError(f"{self._path} reads no pairs of texts: make it again with bertline optimize")
        wide = alone and self.lanes > 1 and batch.ids.size >= self._wide_tokens
        session = self._wide_session() if wide else self._narrow
        try:
            (computed,) = session.run([self._names.get(output, output)], _feeds(batch, segments=self._takes_segments))
        except Exception as error:
            raise _refused(self._path, "compute", error) from error
        return np.asarray(computed)

    def width(self, output: str) -> int:
        """The last dimension of an output, as the file declares it.

        Raises:
            BundleError: it declares none, or has no such output.
        """
        shapes = {node.name: node.shape for node in self._narrow.get_outputs()}
        width = (shapes.get(self._names.get(output, output)) or [None])[-1]
        if not isinstance(width, int):
            raise BundleError(
                f"{self._path} does not say how wide its {output} is: make it again with bertline optimize"
            )
        return width

    def _wide_session(self) -> onnxruntime.InferenceSession:
        with self._lock:
            if self._wide is None:
                self._wide = _session(self._path, threads=self.lanes)
            return self._wide


@functools.cache
def adds_in_16_bits() -> bool:
    """Whether onnxruntime's plain products of bytes overflow on this processor, found by computing the largest one."""
    largest = {"a": np.full((2, 8), 255, np.uint8), "b": np.full((8, 16), 127, np.int8)}
    session = onnxruntime.InferenceSession(_PRODUCT, _plain_options(1), providers=["CPUExecutionProvider"])
    (product,) = session.run(None, largest)
    return bool((np.asarray(product) != 8 * 255 * 127).any())


def _feeds(batch: Batch, *, segments: bool) -> dict[str, np.ndarray[Any, Any]]:
    feeds = {"ids": batch.ids, "lengths": batch.attend.sum(axis=1, dtype=np.int64)}
    if segments:
        feeds["segments"] = np.zeros_like(batch.ids) if batch.segments is None else batch.segments
    return feeds


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = _plain_options(threads)
    if adds_in_16_bits():  # weights of 7 bits keep the faster product even so; where nothing overflows, none would
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _plain_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # a plan of the memory for every shape: 4 to 11 MB, and no faster (docs/log.md)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(path: Path, *, threads: int) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(
            path, _options(threads), providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
        )
    except Exception as error:
        raise _refused(path, "load", error) from error


def _refused(path: Path, what: str, error: Exception) -> BundleError:
    """The sentence for an error of onnxruntime, which raises a class of its own per status code."""
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return BundleError(f"{path}: onnxruntime cannot {what} it ({reason}): make it again with bertline optimize")


def observe(model: bytes, batches: Iterable[Batch]) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
    """Every output of a model for each batch, by name: for graphs with taps (``bundle.exporter.Recipe``)."""
    session = onnxruntime.InferenceSession(model, _options(1), providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_outputs()]
    segments = "segments" in {node.name for node in session.get_inputs()}
    for batch in batches:
        yield dict(zip(names, session.run(names, _feeds(batch, segments=segments)), strict=True))
