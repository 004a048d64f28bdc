from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.encoder.config import ACTIVATIONS, EncoderConfig, Family
from bertline.encoder.description import DESCRIPTIONS
from bertline.errors import CheckpointError

MINILM = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "position_embedding_type": "absolute",
    "is_decoder": False,
}
SMALL: dict[str, Any] = {"vocab_size": 20, "hidden": 12, "heads": 3}


@st.composite
def configs(draw: st.DrawFn, family: Family) -> EncoderConfig:
    heads = draw(st.integers(1, 8))
    rates = st.floats(0, 0.9)
    return EncoderConfig(
        family=family,
        vocab_size=draw(st.integers(9, 10**6)),
        hidden=heads * draw(st.integers(1, 64)),
        layers=draw(st.integers(1, 48)),
        heads=heads,
        feed_forward=draw(st.integers(1, 4096)),
        max_positions=draw(st.integers(1, 8192)),
        segments=0 if family == "distilbert" else draw(st.integers(1, 4)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        norm_eps=1e-12 if family == "distilbert" else draw(st.sampled_from([1e-12, 1e-5])),
        dropout=draw(rates),
        attention_dropout=draw(rates),
        classifier_dropout=draw(st.none() | rates),
        pad_id=draw(st.integers(0, 8)),
        init_std=draw(rates),
        embedding=draw(st.integers(1, 512)) if family == "electra" else None,
    )


@pytest.mark.parametrize("family", DESCRIPTIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_the_table_of_hf_names_is_reversible(family: Family, data: st.DataObject) -> None:
    config = data.draw(configs(family))
    assert EncoderConfig.from_hf(config.to_hf()) == config


def test_missing_config_entries_default_to_bert_base() -> None:
    config = EncoderConfig.from_hf(MINILM)
    assert config == EncoderConfig(hidden=384, layers=6, feed_forward=1536)
    assert (config.head_size, config.max_positions, config.segments, config.norm_eps) == (32, 512, 2, 1e-12)


def test_roberta_counts_its_positions_from_the_token_after_padding() -> None:
    config = EncoderConfig.from_hf(MINILM | {"model_type": "roberta", "max_position_embeddings": 514})
    assert (config.pad_id, config.max_positions, config.first_position, config.max_tokens) == (1, 514, 2, 512)
    assert EncoderConfig.from_hf(MINILM).max_tokens == 512


def test_distilbert_has_no_segments_and_its_own_dropout_before_the_labels() -> None:
    config = EncoderConfig.from_hf(
        {"model_type": "distilbert", "vocab_size": 9, "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 4}
    )
    assert (config.segments, config.head_dropout) == (0, 0.2)
    assert EncoderConfig(dropout=0.3).head_dropout == 0.3
    assert EncoderConfig(dropout=0.3, classifier_dropout=0.0).head_dropout == 0.0


def test_one_rate_everywhere() -> None:
    config = EncoderConfig().with_dropout(0.25)
    assert (config.dropout, config.attention_dropout, config.head_dropout) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("gelu_python", "gelu"),
        ("gelu_fast", "gelu_new"),
        ("gelu_accurate", "gelu_new"),
        ("gelu_python_tanh", "gelu_new"),
        ("swish", "silu"),
    ],
)
def test_other_names_of_the_same_activation(theirs: str, ours: str) -> None:
    """T5: read by either name, and written by the one that is current."""
    config = EncoderConfig.from_hf(MINILM | {"hidden_act": theirs})
    assert config.activation == ours
    assert config.to_hf()["hidden_act"] == ours


def test_a_decoder_is_causal_and_only_it_says_so() -> None:
    config = EncoderConfig.from_hf({**MINILM, "is_decoder": True})
    assert config.causal
    assert config.to_hf()["is_decoder"] is True
    assert "is_decoder" not in EncoderConfig.from_hf({**MINILM, "is_decoder": None}).to_hf()
    distilbert = EncoderConfig(family="distilbert", segments=0).to_hf()
    with pytest.raises(CheckpointError, match="sets is_decoder to True: bertline supports only False"):
        EncoderConfig.from_hf({**distilbert, "is_decoder": True})


def test_a_missing_padding_token_is_the_first() -> None:
    assert EncoderConfig.from_hf({**MINILM, "pad_token_id": None}).pad_id == 0


def test_a_rate_may_be_written_as_a_whole_number() -> None:
    assert EncoderConfig.from_hf({**MINILM, "hidden_dropout_prob": 0}).dropout == 0.0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"model_type": "albert"},
            "reviews/config.json has the model_type 'albert': bertline reads bert, distilbert, roberta, xlm-roberta, ",
        ),
        ({"model_type": ["bert"]}, "reviews/config.json has the model_type ['bert']: bertline reads"),
        (
            {"position_embedding_type": "relative_key"},
            "sets position_embedding_type to 'relative_key': bertline supports only 'absolute'",
        ),
        ({"is_decoder": 1}, "sets is_decoder to 1: it must be true or false"),
        ({"hidden_act": "mish"}, "the model's activation is 'mish': bertline supports gelu, gelu_new"),
        ({"num_attention_heads": 7}, "the model's hidden size 384 is not a multiple of its 7 attention heads"),
        ({"num_attention_heads": 0}, "sets num_attention_heads to 0: it must be a whole number of at least 1"),
        ({"num_hidden_layers": "six"}, "sets num_hidden_layers to 'six': it must be a whole number of at"),
        ({"hidden_size": 384.0}, "sets hidden_size to 384.0: it must be a whole number of at least 1"),
        ({"vocab_size": True}, "sets vocab_size to True: it must be a whole number of at least 1"),
        ({"type_vocab_size": -1}, "sets type_vocab_size to -1: it must be a whole number of at least 0"),
        ({"hidden_dropout_prob": 1}, "sets hidden_dropout_prob to 1: it must be a number from 0 to below 1"),
        ({"hidden_dropout_prob": None}, "sets hidden_dropout_prob to None: it must be a number from 0"),
        ({"classifier_dropout": "no"}, "sets classifier_dropout to 'no': it must be a number from 0"),
        ({"layer_norm_eps": float("nan")}, "sets layer_norm_eps to nan: it must be a number from 0"),
        ({"pad_token_id": 30522}, "sets pad_token_id to 30522, but its tokens are 0 to 30521"),
        ({"pad_token_id": -1}, "sets pad_token_id to -1: it must be a whole number of at least 0"),
    ],
)
def test_a_configuration_that_cannot_be_computed_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        EncoderConfig.from_hf({**MINILM, **change}, origin="reviews/config.json")


def test_missing_entries_are_named_as_in_the_file() -> None:
    with pytest.raises(CheckpointError, match=r"config\.json lacks hidden_size, num_attention_heads: copy it"):
        EncoderConfig.from_hf({"model_type": "bert", "vocab_size": 9, "num_hidden_layers": 2})


def test_a_distilbert_encoder_with_segments_would_lose_them_when_saved() -> None:
    with pytest.raises(CheckpointError, match="a DistilBert encoder has a value of 0 for segments, which its"):
        EncoderConfig(family="distilbert", **SMALL)
    with pytest.raises(
        CheckpointError, match=r"a DistilBert encoder has a value of 1e-12 for norm_eps, .*: 1e-05 would be lost"
    ):
        EncoderConfig(family="distilbert", segments=0, norm_eps=1e-5, **SMALL)


def test_it_cannot_be_changed_afterwards() -> None:
    config = EncoderConfig()
    with pytest.raises(AttributeError):
        config.hidden = 3  # type: ignore[misc]
    assert replace(config, layers=1).layers == 1
