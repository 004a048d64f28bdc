"""Engines in ``bertline.json``: kept in their order, and refused when an entry is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.bundle import Manifest, load, writing
from bertline.bundle.engine import Engine
from bertline.bundle.manifest import parse
from bertline.errors import BundleError
from tests.unit.bundle.test_manifest import resealed

ENGINES = (
    Engine(name="small", precision="int8", file="engines/small.onnx", batch_tokens=256, measured={"p50_ms": 1.5}),
    Engine(name="fp32", precision="fp32", file="model.onnx"),
    Engine(name="cascade", kind="cascade", precision="int8", parts=("small", "fp32"), threshold=0.875),
)


def with_engines(manifest: Manifest) -> Manifest:
    return Manifest(**{**dict(manifest), "engines": ENGINES})


def test_engines_are_read_back_in_their_order(manifest: Manifest) -> None:
    sealed, raw = with_engines(manifest).sealed({})
    assert parse(raw, "reviews") == sealed
    assert parse(raw, "reviews").engines == ENGINES


def test_engines_travel_with_a_bundle(tmp_path: Path, manifest: Manifest) -> None:
    with writing(tmp_path / "reviews", with_engines(manifest)) as staging:
        (staging / "model.onnx").write_bytes(b"graph")
    assert load(tmp_path / "reviews").manifest.engines == ENGINES


def test_a_wrong_engine_is_named_by_its_place(manifest: Manifest) -> None:
    _, raw = with_engines(manifest).sealed({})
    content = json.loads(raw)
    content["engines"][1]["file"] = None
    with pytest.raises(BundleError, match=r"wrong entry: engines\.1: an onnx engine needs its file"):
        parse(resealed(content), "reviews")
