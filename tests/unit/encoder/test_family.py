"""A ``config.json`` without ``model_type``."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bertline.encoder.family import family_of
from bertline.errors import CheckpointError

BERT = {  # as Google published it in 2018
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
DISTILBERT = {
    "activation": "gelu",
    "dim": 768,
    "hidden_dim": 3072,
    "max_position_embeddings": 512,
    "n_heads": 12,
    "n_layers": 6,
    "vocab_size": 30522,
}
UNKNOWN = 'x/config.json has no model_type, and its other entries match no single family: add "model_type"'


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("BertModel", "bert"),
        ("BertForSequenceClassification", "bert"),
        ("BertForNER", "bert"),
        ("BertLMHeadModel", "bert"),
        ("DistilBertModel", "distilbert"),
        ("DistilBertForMaskedLM", "distilbert"),
        ("RobertaForTokenClassification", "roberta"),
        ("XLMRobertaModel", "xlm-roberta"),
        ("CamembertForMaskedLM", "camembert"),
        ("ElectraForPreTraining", "electra"),
    ],
)
def test_the_architecture_determines_the_family(architecture: str, family: str) -> None:
    """T5."""
    assert family_of({"architectures": [architecture]}, "x/config.json") == family


@pytest.mark.parametrize(
    "architectures", [["RobertaPreLayerNormModel"], ["MobileBertModel"], ["BertGenerationEncoder"], "BertModel"]
)
def test_another_architecture(architectures: Any) -> None:
    """T5."""
    sentence = f"x/config.json has the architecture {architectures!r} and no model_type: bertline reads bert, "
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        family_of({**BERT, "architectures": architectures}, "x/config.json")


@pytest.mark.parametrize("more", [{}, {"layer_norm_eps": 1e-12, "pad_token_id": 0}, {"architectures": None}])
def test_the_entries_tell_the_family(more: dict[str, Any]) -> None:
    """T5."""
    assert family_of(BERT | more, "x/config.json") == "bert"
    assert family_of(DISTILBERT | more, "x/config.json") == "distilbert"


@pytest.mark.parametrize(
    "config",
    [
        {},
        BERT | {"type_vocab_size": 1},  # RoBERTa
        BERT | {"embedding_size": 128},  # ELECTRA
        BERT | {"num_hidden_groups": 1, "embedding_size": 128},  # ALBERT
        BERT | {"relative_attention": True},  # DeBERTa
        BERT | {"max_2d_position_embeddings": 1024},  # LayoutLM
        BERT | DISTILBERT,
        {name: value for name, value in BERT.items() if name != "type_vocab_size"},
    ],
    ids=range(8),
)
def test_entries_that_several_models_have(config: dict[str, Any]) -> None:
    """T5: only where it is certain."""
    with pytest.raises(CheckpointError, match=re.escape(UNKNOWN)):
        family_of(config, "x/config.json")
