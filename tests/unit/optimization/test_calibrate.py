from __future__ import annotations

import numpy as np
import pytest
import torch

from bertline.data.batching import pad
from bertline.encoder.heads import Pooling
from bertline.export.network import Network
from bertline.optimization.calibrate import observe_inputs
from bertline.testing.tiny import VOCABULARY, tiny_classifier

RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 9, 17, 30)]


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_every_quantised_product_is_observed(pooling: Pooling) -> None:
    network = Network.of(tiny_classifier(family="bert", labels=3, pooling=pooling))
    seen = observe_inputs(network, [pad(TEXTS, 0)])
    names = {f"{layer}.{name}" for layer in (0, 1) for name in ("qkv", "out", "up", "down")}
    assert seen.keys() == (names if pooling == "mean" else names - {"1.qkv"})
    sizes = {name: len(one.low) for name, one in seen.items() if name.startswith("0.")}
    assert sizes == {"0.qkv": 32, "0.out": 32, "0.up": 32, "0.down": 64}
    assert all((one.low <= one.high).all() for one in seen.values())


def test_the_extremes_ignore_padding() -> None:
    classifier, batch = tiny_classifier(family="bert", labels=3, pooling="mean").eval(), pad(TEXTS, 0)
    with torch.inference_mode():
        states = classifier.encoder(
            torch.from_numpy(batch.ids), torch.from_numpy(batch.attend), want_hidden_states=True
        ).hidden_states
    assert states is not None
    real = states[1].numpy()[batch.attend]
    seen = observe_inputs(Network.of(classifier), [batch])["1.qkv"]
    np.testing.assert_allclose(seen.low, real.min(axis=0), atol=1e-5)
    np.testing.assert_allclose(seen.high, real.max(axis=0), atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_how_texts_are_batched_does_not_matter(pooling: Pooling) -> None:
    network = Network.of(tiny_classifier(family="distilbert", labels=3, pooling=pooling))
    together = observe_inputs(network, [pad(TEXTS, 0)])
    alone = observe_inputs(network, (pad([text], 0) for text in TEXTS))
    for name, one in together.items():
        np.testing.assert_allclose(alone[name].low, one.low, atol=1e-5)
        np.testing.assert_allclose(alone[name].high, one.high, atol=1e-5)
