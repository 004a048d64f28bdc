from __future__ import annotations

from dataclasses import replace

import pytest

from bertline.encoder.config import EncoderConfig

BERT = EncoderConfig(
    vocab_size=20, hidden=12, layers=2, heads=3, feed_forward=20, max_positions=10, dropout=0.1, init_std=0.3
)
DISTILBERT = EncoderConfig(
    family="distilbert",
    vocab_size=20,
    hidden=12,
    layers=2,
    heads=3,
    feed_forward=20,
    max_positions=10,
    segments=0,
    init_std=0.3,
)


CAUSAL = replace(BERT, causal=True)


@pytest.fixture(params=[BERT, DISTILBERT, CAUSAL], ids=["bert", "distilbert", "causal"])
def any_config(request: pytest.FixtureRequest) -> EncoderConfig:
    """A small encoder of each family, and a causal one."""
    found: EncoderConfig = request.param
    return found


@pytest.fixture(params=[BERT, DISTILBERT], ids=["bert", "distilbert"])
def config(request: pytest.FixtureRequest) -> EncoderConfig:
    """A small encoder of each family."""
    found: EncoderConfig = request.param
    return found
