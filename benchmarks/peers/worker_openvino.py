"""OpenVINO by its own guides: converted from torch, quantised by NNCF, asynchronous requests over streams."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import properties
from transformers import AutoTokenizer
from worker_batches import Array, Batch, Loaded, Sorted, Unsupported

CALIBRATION = "calibration.json"
CALIBRATION_TEXTS = 300  # NNCF's default subset, and what OpenVINO's guide recommends
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def prepare(kind: str, checkpoint: Path, work: Path, threads: int) -> None:
    """Convert once for all three kinds, quantise for int8."""
    fp32 = work / "openvino" / "fp32.xml"
    if not fp32.exists():
        openvino.save_model(_convert(checkpoint), fp32, compress_to_fp16=False)
    if kind == "openvino-int8":
        openvino.save_model(_quantise(fp32, checkpoint, work), _file(kind, work), compress_to_fp16=False)


def prepared(kind: str, work: Path) -> bool:
    """Whether ``prepare`` has nothing left to do."""
    return _file(kind, work).exists()


def start(kind: str, checkpoint: Path, work: Path, threads: int) -> Sorted:
    """The contestant of openvino-fp32, openvino-bf16 or openvino-int8."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    return Sorted(Compiled(kind, _file(kind, work), tokenizer.pad_token_id, threads), tokenizer)


def _file(kind: str, work: Path) -> Path:
    return work / "openvino" / ("int8.xml" if kind == "openvino-int8" else "fp32.xml")


def _convert(checkpoint: Path) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32).eval()
    ids = torch.ones(2, 8, dtype=torch.int64)
    mask = ids.clone()
    mask[1, 5:] = 0  # with padding: a mask of ones alone would be traced away
    example = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    shapes = [(name, openvino.PartialShape([-1, -1])) for name in INPUTS]
    with torch.inference_mode():
        return openvino.convert_model(model, example_input=example, input=shapes)


def _quantise(fp32: Path, checkpoint: Path, work: Path) -> Any:
    import nncf

    given = work / CALIBRATION
    if not given.exists():
        raise FileNotFoundError(f"{given} is missing: write {CALIBRATION_TEXTS} texts of the training rows there")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    texts = json.loads(given.read_text(encoding="utf-8"))[:CALIBRATION_TEXTS]

    def encode(text: str) -> dict[str, Array]:
        return dict(tokenizer(text, truncation=True, max_length=256, return_tensors="np"))

    return nncf.quantize(
        openvino.Core().read_model(fp32),
        nncf.Dataset(texts, encode),
        model_type=nncf.ModelType.TRANSFORMER,  # with it come SmoothQuant and the mixed preset
        subset_size=CALIBRATION_TEXTS,
    )


class Compiled:
    """The engine: the throughput hint with a stream per core, and the latency hint; both by asynchronous queue."""

    def __init__(self, kind: str, file: Path, pad: int, threads: int) -> None:
        self.pad = pad
        core = openvino.Core()
        model = core.read_model(file)
        shared: dict[str, Any] = {properties.inference_num_threads(): threads}
        if kind == "openvino-fp32":
            shared[properties.hint.inference_precision()] = openvino.Type.f32
        hints = properties.hint.PerformanceMode
        throughput = {properties.hint.performance_mode(): hints.THROUGHPUT, properties.num_streams(): threads}
        latency = {properties.hint.performance_mode(): hints.LATENCY}

        def compiled(hint: dict[str, Any]) -> tuple[Any, Any]:
            one = core.compile_model(model, "CPU", shared | hint)
            return one, openvino.AsyncInferQueue(one)  # as many requests as the model finds optimal

        self.models = Loaded(
            {
                f"throughput hint, {threads} streams": lambda: compiled(throughput),
                "latency hint": lambda: compiled(latency),
            }
        )
        self.layouts = tuple(self.models.makers)
        precision = self.models["latency hint"][0].get_property(properties.hint.inference_precision())
        words = precision.get_type_name()
        if kind == "openvino-bf16" and words != "bf16":
            raise Unsupported(f"OpenVINO's own choice of precision on this processor is {words}, not bf16")
        quantised = "NNCF int8 with SmoothQuant, the rest " if kind == "openvino-int8" else ""
        self.settings = f"{quantised}{words}, asynchronous queue, {threads} threads"

    def keep(self, layouts: Collection[str]) -> None:
        """Free the compiled models of the other layouts."""
        self.models.keep(layouts)

    def run(self, batches: Sequence[Batch], layout: str) -> list[Array]:
        """Logits [rows, labels] of each batch."""
        _, queue = self.models[layout]
        found: list[Array] = [np.empty(0)] * len(batches)

        def keep(request: Any, index: int) -> None:
            found[index] = request.get_output_tensor(0).data.copy()

        queue.set_callback(keep)
        for index, batch in enumerate(batches):
            ids, mask = batch.padded(self.pad)
            queue.start_async(dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)), index)
        queue.wait_all()
        return found
