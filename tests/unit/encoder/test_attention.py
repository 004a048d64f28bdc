"""Against the formula in numpy, one query and one head at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bertline.encoder.attention import SelfAttention
from bertline.encoder.config import EncoderConfig

CONFIG = EncoderConfig(vocab_size=9, hidden=12, heads=3, attention_dropout=0.5)
REAL = torch.tensor([[True, True, True, True], [True, True, False, False]])
PAST = torch.ones(4, 4, dtype=torch.bool).tril()
MASKS = {"all": None, "padding": REAL[:, None, None, :], "causal": REAL[:, None, None, :] & PAST}


def attention() -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(CONFIG).eval()


def by_the_formula(module: SelfAttention, states: Tensor, allowed: Tensor | None) -> tuple[Any, Any]:
    """Outputs and probabilities of softmax(QKᵀ/√d)·V, in float64."""
    x = states.double().numpy()
    weight, bias = (one.detach().double().numpy() for one in module.qkv.parameters())
    out_weight, out_bias = (one.detach().double().numpy() for one in module.out.parameters())
    query, key, value = np.split(x @ weight.T + bias, 3, axis=-1)
    rows, tokens, width = x.shape
    d = width // CONFIG.heads
    seen = np.ones((rows, 1, tokens, tokens)) if allowed is None else allowed.numpy()
    seen = np.broadcast_to(seen, (rows, 1, tokens, tokens))
    probabilities = np.zeros((rows, CONFIG.heads, tokens, tokens))
    mixed = np.zeros_like(x)
    for row, head, token in np.ndindex(rows, CONFIG.heads, tokens):
        part = slice(head * d, (head + 1) * d)
        scores = key[row, :, part] @ query[row, token, part] / np.sqrt(d)
        exponentials = np.where(seen[row, 0, token], np.exp(scores - scores.max()), 0)
        probabilities[row, head, token] = exponentials / exponentials.sum()
        mixed[row, token, part] = probabilities[row, head, token] @ value[row, :, part]
    return mixed @ out_weight.T + out_bias, probabilities


@pytest.mark.parametrize("mask", MASKS)
def test_the_formula(mask: str) -> None:
    module, states = attention(), torch.randn(2, 4, 12, generator=torch.Generator().manual_seed(1))
    expected, expected_probabilities = by_the_formula(module, states, MASKS[mask])
    with torch.no_grad():
        fused, nothing = module(states, MASKS[mask])
        mixed, probabilities = module(states, MASKS[mask], want_attentions=True)
    assert nothing is None
    np.testing.assert_allclose(fused.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(mixed.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.numpy(), expected_probabilities, atol=1e-6)


def test_masked_tokens_get_exactly_zero_attention() -> None:
    states = torch.randn(2, 4, 12, generator=torch.Generator().manual_seed(1))
    _, probabilities = attention()(states, MASKS["causal"], want_attentions=True)
    assert not probabilities.masked_select(~MASKS["causal"]).any()
    assert torch.allclose(probabilities.sum(-1), torch.ones(2, 3, 4))


@pytest.mark.parametrize("asked", [False, True])
def test_dropout_is_of_training_only(asked: bool) -> None:
    module, states = attention(), torch.randn(2, 4, 12)
    assert torch.equal(module(states, None, asked)[0], module(states, None, asked)[0])
    module.train()
    assert not torch.equal(module(states, None, asked)[0], module(states, None, asked)[0])


def test_training_returns_attention_before_dropout() -> None:
    module, states = attention().train(), torch.randn(2, 4, 12)
    _, probabilities = module(states, None, want_attentions=True)
    assert torch.allclose(probabilities.sum(-1), torch.ones(2, 3, 4))


def test_silenced_heads_add_nothing_and_stay_silent_whatever_is_trained() -> None:
    module, states = attention().train(), torch.randn(2, 4, 12, generator=torch.Generator().manual_seed(1))
    expected = by_the_formula(module, states, None)
    idle = torch.tensor([False, True, False])
    assert module.busy_heads().all()
    module.silence(idle)
    assert torch.equal(module.busy_heads(), ~idle)
    with torch.no_grad():
        module.eval()
        assert not np.allclose(module(states, None)[0].numpy(), expected[0], atol=1e-3)
        np.testing.assert_allclose(module(states, None)[0], by_the_formula(module, states, None)[0], atol=1e-6)
    before = [one.detach().clone() for one in module.parameters()]
    optimizer = torch.optim.AdamW(module.train().parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        module(states, None)[0].square().sum().backward()
        optimizer.step()
    changed = [one.detach() for one in module.parameters()]
    assert all(bool((one != other).any()) for one, other in zip(changed, before, strict=True))
    assert torch.equal(module.busy_heads(), ~idle)
    weight, bias, out, _ = changed
    assert not weight.view(3, 3, 4, 12)[:, 1].any()
    assert not bias.view(3, 3, 4)[:, 1].any()
    assert not out.view(12, 3, 4)[:, 1].any()
