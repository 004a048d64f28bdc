"""ONNX Runtime as optimum documents it: export, graph optimization for transformers, dynamic int8."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import quant_pre_process
from optimum.onnxruntime import (
    AutoOptimizationConfig,
    AutoQuantizationConfig,
    ORTModelForSequenceClassification,
    ORTOptimizer,
    ORTQuantizer,
)
from transformers import AutoTokenizer
from worker_batches import Array, Batch, Loaded, Sorted, in_threads

FP32, TYPED, INT8 = "model_optimized.onnx", "model_typed.onnx", "model_typed_quantized.onnx"


def prepare(kind: str, checkpoint: Path, work: Path, threads: int) -> None:
    """Export and optimize once for both kinds, quantise for int8.

    Between the two goes the symbolic shape inference of ONNX Runtime's own guide to quantisation: without it optimum
    0.1 cannot quantise what it has optimized ("Unable to find data type", optimum's pull request 1959).
    """
    folder = work / "onnx"
    if not (folder / FP32).exists():
        model = ORTModelForSequenceClassification.from_pretrained(checkpoint, export=True)
        ORTOptimizer.from_pretrained(model).optimize(AutoOptimizationConfig.O2(), save_dir=folder)
    if kind == "onnxruntime-int8" and not (folder / INT8).exists():
        choose = AutoQuantizationConfig.avx512_vnni if _has_vnni() else AutoQuantizationConfig.avx2
        quant_pre_process(folder / FP32, folder / TYPED, skip_optimization=True, auto_merge=True)
        quantizer = ORTQuantizer.from_pretrained(folder, file_name=TYPED)
        quantizer.quantize(quantization_config=choose(is_static=False, per_channel=True), save_dir=folder)


def prepared(kind: str, work: Path) -> bool:
    """Whether ``prepare`` has nothing left to do."""
    return (work / "onnx" / _file(kind)).exists()


def start(kind: str, checkpoint: Path, work: Path, threads: int) -> Sorted:
    """The contestant of onnxruntime-fp32 or onnxruntime-int8."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    return Sorted(Optimum(work / "onnx", _file(kind), tokenizer.pad_token_id, threads), tokenizer)


def _file(kind: str) -> str:
    return INT8 if kind == "onnxruntime-int8" else FP32


def _has_vnni() -> bool:
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return "avx512_vnni" in flags or "avx_vnni" in flags


class Optimum:
    """The engine. One run on all cores is optimum's default; a run per core, all in one session, is tried as well."""

    def __init__(self, folder: Path, file: str, pad: int, threads: int) -> None:
        self.pad = pad
        makers: dict[str, Callable[[], Any]] = {
            f"one run on {threads} threads": lambda: [self._session(folder, file, threads)]
        }
        if threads > 1:
            makers[f"{threads} runs of one thread"] = lambda: [self._session(folder, file, 1)] * threads
        self.runs = Loaded(makers)
        self.layouts = tuple(makers)
        how = "optimization O2"
        if file == INT8:
            how += f", dynamic int8 per channel for {'avx512_vnni' if _has_vnni() else 'avx2'}"
        self.settings = f"optimum export, {how}, {threads} threads"

    def keep(self, layouts: Collection[str]) -> None:
        """Free the sessions of the other layouts."""
        self.runs.keep(layouts)

    def run(self, batches: Sequence[Batch], layout: str) -> list[Array]:
        """Logits [rows, labels] of each batch."""
        return in_threads(self.runs[layout], batches)

    def _session(self, folder: Path, file: str, threads: int) -> Callable[[Batch], Array]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        model: Any = ORTModelForSequenceClassification.from_pretrained(
            folder, file_name=file, session_options=options, provider="CPUExecutionProvider"
        )

        def logits(batch: Batch) -> Array:
            ids, mask = batch.padded(self.pad)
            found: Array = model(input_ids=ids, attention_mask=mask, token_type_ids=np.zeros_like(ids)).logits
            return found

        return logits
