"""How fast the machine multiplies matrices with the same library, and where the rest of an engine's time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bertline.bundle import load
from bertline.data.batching import pad, plan
from bertline.encoder.checkpoint import read_config
from bertline.inference.onnx_backend import OnnxBackend
from bertline.text import Reader, Tokenizer, Truncation

SHAPES = ((512, 384, 1536), (512, 1536, 384), (1024, 768, 768), (512, 1024, 4096), (2048, 2048, 2048))
SECONDS = 0.4  # of each shape
LANES = 2


def measure(bundle: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Best matrix rates in GFLOP/s (and GOP/s), the share our fp32 engine reaches, and its time outside of products."""
    rates = {kind: max(_rate(kind, *shape) for shape in SHAPES) for kind in ("fp32", "int8")}
    return {"gflops": rates, **_shares(bundle, texts, rates["fp32"])}


def _rate(kind: str, rows: int, inner: int, columns: int) -> float:
    """All lanes together, each its own product, as our engines run."""
    session = _product(kind, rows, inner, columns)
    rng = np.random.default_rng(0)
    feed = rng.standard_normal((rows, inner)).astype(np.float32)
    if kind == "int8":
        feed = rng.integers(0, 255, (rows, inner)).astype(np.uint8)

    def lane(_: int) -> int:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            session.run(None, {"x": feed})
            count += 1
        return count

    lane(0)
    with ThreadPoolExecutor(LANES) as pool:
        began = time.perf_counter()
        done = sum(pool.map(lane, range(LANES)))
        return 2 * rows * inner * columns * done / (time.perf_counter() - began) / 1e9


def _product(kind: str, rows: int, inner: int, columns: int) -> onnxruntime.InferenceSession:
    rng = np.random.default_rng(1)
    if kind == "fp32":
        weight = rng.standard_normal((inner, columns)).astype(np.float32)
        node, constants, type_ = helper.make_node("MatMul", ["x", "w"], ["y"]), {"w": weight}, TensorProto.FLOAT
    else:
        constants = {
            "w": rng.integers(-127, 127, (inner, columns)).astype(np.int8),
            "xs": np.float32(0.1),
            "ws": np.full(columns, 0.1, np.float32),
            "xz": np.uint8(128),
        }
        inputs = ["x", "w", "xs", "ws", "xz"]
        node = helper.make_node("MatMulIntegerToFloat", inputs, ["y"], domain="com.microsoft")
        type_ = TensorProto.UINT8
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", type_, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def flops(layers: int, hidden: int, feed_forward: int, lengths: Sequence[int], head_reads_one: bool = True) -> float:
    """Multiplications and additions of the products that the exported graph computes, padding aside.

    A whole layer: 2·T·(4h² + 2hf) for the projections and the feed-forward network and 4·T²·h for attention. A last
    layer that is computed for [CLS] alone: 2·(4h² + 2hf) and 4·T·h·heads, of which the heads are counted as 12.
    """
    per_token = 2 * (4 * hidden**2 + 2 * hidden * feed_forward)
    whole = layers - 1 if head_reads_one else layers
    done = sum(whole * (per_token * t + 4 * t * t * hidden) for t in lengths)
    return done + (sum(per_token + 4 * t * hidden * 12 for t in lengths) if head_reads_one else 0)


def _shares(bundle: Path, texts: Sequence[str], rate: float) -> dict[str, Any]:
    manifest, (config, _) = load(bundle, verify=False).manifest, read_config(bundle)
    tokenizer, backend = Tokenizer.from_bundle(bundle), OnnxBackend(bundle / "model.onnx", lanes=1)
    reader = Reader(tokenizer, Truncation(manifest.max_tokens, manifest.truncation))
    tokenising, readings = _timed(lambda: reader.read(texts))
    lengths = [one.read for one in readings]
    laying_out, batches = _timed(
        lambda: [pad([readings[i].piece.ids for i in rows], tokenizer.pad_id) for rows in plan(lengths, 512)]
    )

    def lane(some: Sequence[Any]) -> None:
        for batch in some:
            backend.compute(batch)

    def network() -> None:
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(lane, [batches[i::LANES] for i in range(LANES)]))

    network()
    computing, _ = _timed(network)
    done = flops(config.layers, config.hidden, config.feed_forward, lengths)
    total = tokenising + laying_out + computing
    return {
        "reached_gflops": done / computing / 1e9,
        "share_of_ceiling": done / computing / 1e9 / rate,
        "seconds": {"tokenising": tokenising, "laying out batches": laying_out, "network": computing},
        "share_of_time": {"tokenising": tokenising / total, "laying out batches": laying_out / total},
    }


def _timed(do: Callable[[], Any], repetitions: int = 3) -> tuple[float, Any]:
    seconds, found = [], None
    for _ in range(repetitions):
        began = time.perf_counter()
        found = do()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), found
