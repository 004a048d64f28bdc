from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bertline.data.batching import pad
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder

TEXTS = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=10), min_size=1, max_size=5)


def encoder_of(config: EncoderConfig) -> Encoder:
    torch.manual_seed(0)
    return Encoder(config).eval()


def states(encoder: Encoder, texts: list[list[int]]) -> list[torch.Tensor]:
    batch = pad(texts, encoder.config.pad_id)
    with torch.no_grad():
        last = encoder(torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)).last
    return [last[i, : len(text)] for i, text in enumerate(texts)]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_neither_the_batch_nor_padding_changes_a_token(any_config: EncoderConfig, texts: list[list[int]]) -> None:
    encoder = encoder_of(any_config)
    together = states(encoder, texts)
    for text, found in zip(texts, together, strict=True):
        (alone,) = states(encoder, [text])
        assert torch.allclose(found, alone, atol=1e-5)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.integers(0, 19), min_size=2, max_size=10), data=st.data())
def test_a_later_token_changes_an_earlier_state_only_without_a_causal_mask(
    any_config: EncoderConfig, text: list[int], data: st.DataObject
) -> None:
    encoder = encoder_of(any_config)
    at = data.draw(st.integers(1, len(text) - 1))
    changed = text[:at] + [(one + 1) % 20 for one in text[at:]]
    (before,), (after,) = (states(encoder, [one]) for one in (text, changed))
    assert torch.allclose(before[:at], after[:at], atol=1e-5) == any_config.causal
    assert not torch.allclose(before[at:], after[at:], atol=1e-3)


def test_nobody_looks_at_a_token_that_is_not_attended(any_config: EncoderConfig) -> None:
    attend = torch.tensor([[True, False, True, False]])
    found = encoder_of(any_config)(torch.tensor([[5, 6, 7, 8]]), attend, want_attentions=True)
    for probabilities in found.attentions or ():
        assert not probabilities[..., [1, 3]].any()
        assert bool(probabilities[..., 2, [0, 2]].all())


def test_a_text_without_a_real_token_leaves_the_others_alone(config: EncoderConfig) -> None:
    encoder = encoder_of(config)
    ids, attend = torch.tensor([[5, 6, 7], [0, 0, 0]]), torch.tensor([[True] * 3, [False] * 3])
    with torch.no_grad():
        for asked in (False, True):
            found = encoder(ids, attend, want_attentions=asked).last
            assert torch.allclose(found[0], states(encoder, [[5, 6, 7]])[0], atol=1e-5)


def test_without_attend_every_token_is_real(any_config: EncoderConfig) -> None:
    encoder, ids = encoder_of(any_config), torch.tensor([[5, 6, 7], [8, 9, 5]])
    attend = torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(encoder(ids, None).last, encoder(ids, attend).last)


def test_the_kernel_gets_a_mask_only_where_something_is_hidden(
    config: EncoderConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, masks = encoder_of(config), []
    kernel = functional.scaled_dot_product_attention

    def watched(*args: torch.Tensor, **options: Any) -> torch.Tensor:
        masks.append(options["attn_mask"] is not None)
        return kernel(*args, **options)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    ids, attend = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.bool)
    for said, masked in ((None, False), (attend, False), (ids < 7, True)):
        masks.clear()
        encoder(ids, said)
        assert masks == [masked] * config.layers


def test_off_the_cpu_no_value_is_waited_for(any_config: EncoderConfig) -> None:
    """A tensor on ``meta`` has no values: reading one, as ``bool(attend.all())`` does, is an error."""
    encoder = encoder_of(any_config).to("meta")
    ids, attend = torch.ones(2, 3, dtype=torch.long).to("meta"), torch.ones(2, 3, dtype=torch.bool).to("meta")
    with pytest.raises(RuntimeError, match="meta"):
        bool(attend.all())
    for said in (attend, None):
        assert encoder(ids, said).last.shape == (2, 3, 12)


def test_exactly_the_requested_outputs_are_returned(config: EncoderConfig) -> None:
    encoder = encoder_of(config)
    ids, attend = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.bool)
    plain = encoder(ids, attend)
    assert (plain.hidden_states, plain.attentions) == (None, None)
    asked = encoder(ids, attend, want_hidden_states=True, want_attentions=True)
    assert [tuple(one.shape) for one in asked.hidden_states or ()] == [(1, 3, 12)] * (config.layers + 1)
    assert [tuple(one.shape) for one in asked.attentions or ()] == [(1, 3, 3, 3)] * config.layers
    assert torch.allclose(plain.last, asked.last, atol=1e-6)


def test_segments_default_to_the_first() -> None:
    config = EncoderConfig(vocab_size=9, hidden=8, layers=1, heads=2, feed_forward=8, max_positions=4, init_std=1.0)
    encoder, ids, attend = encoder_of(config), torch.tensor([[5, 6]]), torch.ones(1, 2, dtype=torch.bool)
    zeros, ones = torch.zeros_like(ids), torch.ones_like(ids)
    last = encoder(ids, attend).last
    assert torch.equal(last, encoder(ids, attend, segments=zeros).last)
    assert not torch.allclose(last, encoder(ids, attend, segments=ones).last, atol=1e-3)


def test_more_tokens_than_positions_are_refused(config: EncoderConfig) -> None:
    with pytest.raises(ValueError, match="11 tokens in a batch, but the model has 10 positions"):
        encoder_of(config)(torch.ones(1, 11, dtype=torch.long), torch.ones(1, 11, dtype=torch.bool))


def test_the_initial_weights_follow_bert() -> None:
    config = EncoderConfig(vocab_size=500, hidden=64, layers=2, heads=4, feed_forward=256, pad_id=3)
    for name, parameter in encoder_of(config).named_parameters():
        if name.endswith("norm.weight"):
            assert bool((parameter == 1).all()), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            within = 6 * config.init_std / math.sqrt(parameter.numel())
            assert abs(float(parameter.mean().detach())) < within, name
            assert abs(float(parameter.std().detach()) / config.init_std - 1) < 0.2, name
    token = encoder_of(config).embeddings.token.weight
    assert not token[3].any()
    assert bool(token[0].any())


def test_dropout_is_of_training_only(config: EncoderConfig) -> None:
    encoder = encoder_of(config.with_dropout(0.5))
    ids, attend = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.bool)
    assert torch.equal(encoder(ids, attend).last, encoder(ids, attend).last)
    encoder.train()
    assert not torch.equal(encoder(ids, attend).last, encoder(ids, attend).last)
