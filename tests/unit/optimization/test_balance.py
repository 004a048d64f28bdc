from __future__ import annotations

import numpy as np

from bertline.data.batching import pad
from bertline.export.exporter import export
from bertline.export.network import Network
from bertline.inference.onnx_backend import observe
from bertline.optimization.balance import with_balanced_values
from bertline.optimization.calibrate import observe_inputs
from bertline.testing.tiny import tiny_classifier

BATCH = pad([[2, 5, 6, 7, 9, 11, 3], [2, 9, 3]], 0)


def test_balanced_values_change_no_answer_and_even_out_attentions_output() -> None:
    network = Network.of(tiny_classifier(family="bert", labels=3, pooling="cls").eval())
    observed = observe_inputs(network, [BATCH])
    balanced, seen = with_balanced_values(network, observed)

    (before,) = observe(export(network), [BATCH])
    (after,) = observe(export(balanced), [BATCH])
    np.testing.assert_allclose(after["logits"], before["logits"], atol=2e-6)

    again = observe_inputs(balanced, [BATCH])
    for product in ("0.out", "1.out"):
        np.testing.assert_allclose(again[product].high, seen[product].high, atol=1e-5)
        assert not np.allclose(seen[product].high, observed[product].high)
    assert seen["0.up"] is observed["0.up"]
