"""Hidden states, attentions and gradients are those of transformers, for both families and any small shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertModel

from bertline.encoder.keys import encoder_table, to_ours
from tests.parity.peers import (
    FAMILIES,
    gradients,
    hf_configs,
    hf_encoder,
    our_encoder,
    samples,
    weights_like,
    widen,
)
from tests.parity.tolerances import TOLERANCES, difference, relative_difference

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25)
@given(data=st.data())
def test_hidden_states_and_attentions_of_every_layer(family: str, data: st.DataObject) -> None:
    config = data.draw(hf_configs(family))
    sample = data.draw(samples(config))
    segments = family != "distilbert" and data.draw(st.booleans())
    model = hf_encoder(config)
    with torch.no_grad():
        theirs = model(
            **sample.hf(segments=segments), output_hidden_states=True, output_attentions=True, return_dict=True
        )
        ours = our_encoder(model)(
            sample.ids,
            sample.attend,
            segments=sample.segments if segments else None,
            want_hidden_states=True,
            want_attentions=True,
        )
    assert ours.hidden_states is not None
    assert ours.attentions is not None
    real = sample.attend
    for mine, other in zip(ours.hidden_states, theirs.hidden_states, strict=True):
        assert difference(mine[real], other[real]) <= TOLERANCES["hidden states"]
    for mine, other in zip(ours.attentions, theirs.attentions, strict=True):
        assert difference(mine.transpose(1, 2)[real], other.transpose(1, 2)[real]) <= TOLERANCES["attentions"]
    assert ours.last is ours.hidden_states[-1]


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20)
@given(data=st.data())
def test_fused_attention_is_that_of_transformers(family: str, data: st.DataObject) -> None:
    config = data.draw(hf_configs(family, "sdpa"))
    sample = data.draw(samples(config))
    model = hf_encoder(config)
    assert model.config._attn_implementation == "sdpa"
    with torch.no_grad():
        theirs = model(**sample.hf()).last_hidden_state
        ours = our_encoder(model)(sample.ids, sample.attend)
    assert ours.hidden_states is None
    assert ours.attentions is None
    assert difference(ours.last[sample.attend], theirs[sample.attend]) <= TOLERANCES["hidden states"]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15)
@given(data=st.data())
def test_the_gradient_of_every_parameter(family: str, attention: str, data: st.DataObject) -> None:
    config = data.draw(hf_configs(family, attention))
    sample = data.draw(samples(config))
    model = hf_encoder(config)
    encoder = our_encoder(model)
    last = model(**sample.hf()).last_hidden_state[sample.attend]
    (last * weights_like(last)).sum().backward()
    states = encoder(sample.ids, sample.attend, want_attentions=attention == "eager").last[sample.attend]
    (states * weights_like(states)).sum().backward()
    theirs = to_ours(gradients(model), encoder_table(encoder.config))
    ours = gradients(encoder)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert relative_difference(gradient, theirs[name]) <= TOLERANCES["gradients"], name


@settings(max_examples=20)
@given(data=st.data())
def test_the_causal_mask_is_that_of_a_decoder(data: st.DataObject) -> None:
    config = data.draw(hf_configs("bert"))
    config.is_decoder, config.use_cache = True, False
    sample = data.draw(samples(config))
    decoder: Any = widen(BertModel(config, add_pooling_layer=False))
    encoder = our_encoder(decoder)
    assert encoder.config.causal
    with torch.no_grad():
        theirs = decoder(**sample.hf(), output_hidden_states=True, output_attentions=True)
        asked = encoder(sample.ids, sample.attend, want_hidden_states=True, want_attentions=True)
        fused = encoder(sample.ids, sample.attend)
    real = sample.attend
    for mine, other in zip(asked.hidden_states, theirs.hidden_states, strict=True):
        assert difference(mine[real], other[real]) <= TOLERANCES["hidden states"]
    for mine, other in zip(asked.attentions, theirs.attentions, strict=True):
        assert difference(mine.transpose(1, 2)[real], other.transpose(1, 2)[real]) <= TOLERANCES["attentions"]
    assert difference(fused.last[real], theirs.last_hidden_state[real]) <= TOLERANCES["hidden states"]
