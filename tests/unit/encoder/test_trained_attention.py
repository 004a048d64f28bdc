"""Against torch's own attention: outputs, gradients, and dropout."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bertline.encoder import trained_attention as trained
from bertline.encoder.attention import SelfAttention
from bertline.encoder.config import EncoderConfig
from bertline.encoder.trained_attention import trained_attention

REAL = torch.tensor([[True] * 5, [True, True, True, False, False]])
PAST = torch.ones(5, 5, dtype=torch.bool).tril()
MASKS = {"all": None, "padding": REAL[:, None, None, :], "causal": REAL[:, None, None, :] & PAST}


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value as ``SelfAttention`` has them: parts of one tensor, with the heads moved."""
    generator = torch.Generator().manual_seed(1)
    qkv = torch.randn(2, 5, 3, 4, 6, generator=generator, dtype=torch.float64).to(dtype)
    query, key, value = (one.detach().requires_grad_() for one in qkv.permute(2, 0, 3, 1, 4))
    return query, key, value


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 5e-2)]
)
def test_without_dropout_it_is_torchs(mask: str, dtype: torch.dtype, tolerance: float) -> None:
    results = []
    for attention in (
        lambda q, k, v: trained_attention(q, k, v, MASKS[mask], 0.0),
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=MASKS[mask]),
    ):
        parts = inputs(dtype)
        mixed = attention(*parts)
        (mixed.float() * torch.linspace(-1, 1, mixed.numel()).view(mixed.shape)).sum().backward()
        results.append([mixed, *(one.grad for one in parts)])
    for own, expected in zip(*results, strict=True):
        assert own.dtype == dtype
        torch.testing.assert_close(own, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_gradients_by_finite_differences(mask: str, rate: float) -> None:
    def seeded(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        torch.manual_seed(2)
        return trained_attention(query, key, value, MASKS[mask], rate)

    assert torch.autograd.gradcheck(seeded, inputs())


@pytest.mark.parametrize("mask", MASKS)
def test_dropout_zeroes_probabilities_and_scales_the_others(mask: str) -> None:
    """With unit vectors as values the answer is the dropped probabilities themselves."""
    query, key, _ = (one.detach() for one in inputs())
    ones = torch.eye(5, dtype=torch.float64).expand(2, 4, 5, 5)
    query, key = query[..., :5], key[..., :5]
    whole = trained_attention(query, key, ones, MASKS[mask], 0.0)
    torch.manual_seed(3)
    draws = torch.stack([trained_attention(query, key, ones, MASKS[mask], 0.4) for _ in range(400)])
    scaled = whole / 0.6
    assert (torch.isclose(draws, scaled.expand_as(draws)) | (draws == 0)).all()
    share = (draws == 0)[:, whole > 0].double().mean()
    assert abs(share - 0.4) < 5 * (0.24 / (400 * int((whole > 0).sum()))) ** 0.5


def test_training_on_a_cpu_takes_it_and_evaluation_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[float] = []

    def watched(*args: object) -> object:
        called.append(float(str(args[-1])))
        return trained.trained_attention(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("bertline.encoder.attention.trained_attention", watched)
    module = SelfAttention(EncoderConfig(vocab_size=9, hidden=12, heads=3, attention_dropout=0.25))
    states = torch.randn(2, 4, 12)
    module.train()(states, None)
    module.eval()(states, None)
    with torch.no_grad():
        module.train()(states, None)
    assert called == [0.25]


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_several_steps_learn_as_with_torchs_attention(rate: float) -> None:
    """The same small regression, by either attention: the losses agree, with dropout up to its noise."""
    losses = []
    for own in (True, False):
        torch.manual_seed(4)
        module = SelfAttention(EncoderConfig(vocab_size=9, hidden=12, heads=3, attention_dropout=rate)).train()
        module.to("cpu")
        states, wanted = torch.randn(8, 6, 12), torch.randn(8, 6, 12)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
        for _ in range(60):
            mixed = module(states, None, want_attentions=not own)[0]
            loss = functional.mse_loss(mixed, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3 if not rate else 0.1)
