from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bertline.bundle.engine import FULL, Engine
from bertline.export.exporter import FP32

ONNX = {"name": "int8", "precision": "int8", "file": "engines/int8.onnx"}
CASCADE = {"name": "cascade", "kind": "cascade", "precision": "int8", "parts": ("a", "b"), "threshold": 0.8}


def test_an_engine_computes_the_bundles_own_network_by_default() -> None:
    engine = Engine(**ONNX)
    assert engine.kind == "onnx"
    assert engine.network == FULL
    assert engine.parts == ()


def test_a_fresh_bundles_engine_is_fp32_and_shares_the_weights() -> None:
    assert (FP32.name, FP32.precision, FP32.file) == ("fp32", "fp32", "model.onnx")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({**ONNX, "file": None}, "an onnx engine needs its file"),
        ({**CASCADE, "parts": ("a",)}, "a cascade needs two parts and a threshold"),
        ({**CASCADE, "parts": ("a", "b", "c")}, "a cascade needs two parts and a threshold"),
        ({**CASCADE, "threshold": None}, "a cascade needs two parts and a threshold"),
        ({**CASCADE, "threshold": 1.5}, "less than or equal to 1.01"),
        ({**CASCADE, "threshold": -0.1}, "greater than or equal to 0"),
        ({**ONNX, "file": "../elsewhere.onnx"}, "is not a path of a file inside the bundle"),
        ({**ONNX, "file": "/etc/model.onnx"}, "is not a path of a file inside the bundle"),
        ({**ONNX, "precision": "int4"}, "'fp32' or 'int8'"),
        ({**ONNX, "batch_tokens": 8}, "greater than or equal to 16"),
        ({**ONNX, "name": ""}, "at least 1 character"),
        ({**ONNX, "colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_the_error_for_a_wrong_engine_names_the_fault(entries: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Engine(**entries)


def test_figures_that_json_cannot_say_become_null() -> None:
    assert Engine(**ONNX, measured={"p50_ms": float("nan"), "agreement": 1}).measured == {
        "p50_ms": None,
        "agreement": 1,
    }
