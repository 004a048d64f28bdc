"""What optimize leaves for embeddings: the graph of the full network, also where an earlier version wrote none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bertline.bundle import load
from bertline.bundle.probes import ATTENTIONS, EMBEDDING
from bertline.inference import load_predictor
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.testing.tiny import TEXTS, write_tiny_bundle
from tests.unit.optimization.conftest import ROWS

pytestmark = pytest.mark.usefixtures("no_cold_starts")


def test_a_bundle_of_an_earlier_version_gets_both_graphs(original: Path, tmp_path: Path) -> None:
    old = tmp_path / "tiny"
    write_tiny_bundle(old, engine=True, embedding=False, attentions=False, rows=ROWS)
    before = load_predictor(old, device="cpu", output="embedding")
    assert before.engine == "torch"
    found = optimize(old, OptimizeSettings(repetitions=1, speed_rows=16), lambda _: None)
    after, manifest = load_predictor(old, verify=True, output="embedding"), load(old).manifest
    assert after.engine == "onnx"
    np.testing.assert_allclose(after.embed(TEXTS), before.embed(TEXTS), atol=1e-5, rtol=0)
    for graph in (EMBEDDING, ATTENTIONS):
        assert manifest.files[graph] == load(original).manifest.files[graph], "the same network, the same bytes"
        assert not [one for one in manifest.engines if one.file == graph], "it answers with no labels"
        assert graph not in [str(file.name) for one in found.candidates.values() for file in one.files]
