from __future__ import annotations

import pytest
import torch

from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import Classifier, Pooling
from bertline.encoder.keys import classifier_table, encoder_table, to_checkpoint, to_ours

LAYER_OF_BERT = {
    f"encoder.layer.0.{module}.{part}"
    for module in (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    )
    for part in ("weight", "bias")
}
LAYER_OF_DISTILBERT = {
    f"transformer.layer.0.{module}.{part}"
    for module in (
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    )
    for part in ("weight", "bias")
}


def test_the_table_names_every_parameter_of_the_encoder_once(config: EncoderConfig) -> None:
    table = encoder_table(config)
    assert table.keys() == Encoder(config).state_dict().keys()
    names = [name for names in table.values() for name in names]
    assert len(names) == len(set(names))


def test_a_layers_names_equal_those_in_published_checkpoints(config: EncoderConfig) -> None:
    names = {name for names in encoder_table(config).values() for name in names}
    expected = LAYER_OF_BERT if config.family == "bert" else LAYER_OF_DISTILBERT
    assert {name for name in names if ".layer.0." in name} == expected
    assert ("embeddings.token_type_embeddings.weight" in names) == (config.family == "bert")


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_there_and_back_again_changes_no_bit(config: EncoderConfig, pooling: Pooling) -> None:
    state = Classifier(config, 3, pooling).state_dict()
    table = classifier_table(config, pooling=pooling)
    back = to_ours(to_checkpoint(state, table), table)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_query_key_and_value_are_three_in_a_checkpoint(config: EncoderConfig) -> None:
    state = Encoder(config).state_dict()
    table = encoder_table(config)
    parts = to_checkpoint(state, table)
    joined = state["layers.1.attention.qkv.weight"]
    for i, name in enumerate(table["layers.1.attention.qkv.weight"]):
        assert torch.equal(parts[name], joined[i * config.hidden : (i + 1) * config.hidden])


def test_a_checkpoint_shares_no_memory_with_the_model(config: EncoderConfig) -> None:
    state = Encoder(config).state_dict()
    for tensor in to_checkpoint(state, encoder_table(config)).values():
        tensor.fill_(7)
    assert not any(bool((one == 7).any()) for one in state.values())
