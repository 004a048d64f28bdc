from dataclasses import replace

import pytest
import torch

from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder
from bertline.encoder.neighbours import distance, look_at_neighbours

CONFIG = EncoderConfig(
    family="bert",
    vocab_size=200,
    hidden=128,
    layers=2,
    heads=4,
    feed_forward=64,
    max_positions=96,
    segments=2,
    pad_id=0,
)


def attention(config: EncoderConfig, *, start: bool) -> torch.Tensor:
    """Of a fresh encoder's first layer on random tokens, mean of the rows: [heads, tokens, tokens]."""
    torch.manual_seed(0)
    encoder = Encoder(config).eval()
    if start:
        look_at_neighbours(encoder)
    ids = torch.randint(5, config.vocab_size, (8, config.max_positions))
    attentions = encoder(ids, None, want_attentions=True).attentions
    assert attentions is not None
    return attentions[0].detach().mean(0)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, family="distilbert", segments=0),
        replace(CONFIG, causal=True),
        replace(CONFIG, heads=2),
        replace(CONFIG, hidden=132),  # heads with an odd number of dimensions
    ],
    ids=["bert", "distilbert", "causal", "wide heads", "odd heads"],
)
def test_each_head_looks_at_its_neighbour(config: EncoderConfig) -> None:
    found, random = attention(config, start=True), attention(config, start=False)
    for head in range(config.heads):
        away = distance(head, causal=config.causal)
        seen, before = (one[head].diagonal(away) for one in (found, random))
        assert seen.mean() > 0.25
        assert seen.mean() > 5 * before.mean()
        places = torch.arange(config.max_positions)
        inside = places[(places + away >= 0) & (places + away < config.max_positions)]
        assert (found[head, inside].argmax(-1) == inside + away).float().mean() > 0.7


def test_heads_of_one_dimension_stay_random() -> None:
    config = replace(CONFIG, hidden=4, heads=4)
    assert torch.equal(attention(config, start=True), attention(config, start=False))
