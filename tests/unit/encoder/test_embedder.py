"""Embedders: each pooling in PyTorch and in the graphs, and the directory that sentence-transformers reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bertline.data.batching import pad
from bertline.encoder.checkpoint import save_encoder
from bertline.encoder.config import Family
from bertline.encoder.embedder import load_embedder, save_embedder
from bertline.encoder.network import load_network
from bertline.encoder.sentence import SentencePooling, read_modules, write_length
from bertline.encoder.weights import write_tensors
from bertline.errors import CheckpointError
from bertline.export.exporter import write_embedding, write_fp32_engine
from bertline.inference.onnx_backend import OnnxBackend
from bertline.inference.torch_backend import TorchBackend
from bertline.testing.tiny import logits_of, tiny_embedder

BATCH = pad([[2, 7, 8, 9, 3], [2, 10, 3], [2, 11, 12, 3]], 0)
POOLINGS: tuple[SentencePooling, ...] = ("mean", "cls", "pooled")


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_graphs_and_a_loaded_network_give_the_same_embeddings(
    family: Family, pooling: SentencePooling, tmp_path: Path
) -> None:
    network = tiny_embedder(family=family, pooling=pooling)
    expected = logits_of(network, BATCH)
    assert expected.shape == (3, 32)
    assert np.abs(expected[0] - expected[1]).max() > 0.1
    save_embedder(tmp_path, network)
    assert write_fp32_engine(tmp_path, network).outputs == ("embedding",)
    write_embedding(tmp_path, network)
    assert logits_of(load_network(tmp_path), BATCH) == pytest.approx(expected, abs=0)
    for backend in (
        OnnxBackend(tmp_path / "model.onnx"),
        OnnxBackend(tmp_path / "embedding.onnx"),
        TorchBackend(tmp_path, device="cpu"),
    ):
        assert "embedding" in backend.outputs
        assert backend.compute(BATCH, "embedding") == pytest.approx(expected, abs=1e-5)


def test_poolings_are_the_mean_the_first_token_and_its_dense_layer_with_tanh() -> None:
    networks = {pooling: tiny_embedder(family="bert", pooling=pooling) for pooling in POOLINGS}
    states = networks["mean"].eval().encoder(torch.from_numpy(BATCH.ids), torch.from_numpy(BATCH.attend)).last.detach()
    assert logits_of(networks["mean"], BATCH)[1] == pytest.approx(states[1, :3].mean(0).numpy(), abs=1e-6)
    assert logits_of(networks["cls"], BATCH) == pytest.approx(states[:, 0].numpy(), abs=1e-6)
    dense = networks["pooled"].head.dense
    assert logits_of(networks["pooled"], BATCH) == pytest.approx(dense(states[:, 0]).tanh().detach().numpy(), abs=1e-6)


def modules(directory: Path) -> list[str]:
    return [one["type"].rpartition(".")[2] for one in json.loads((directory / "modules.json").read_bytes())]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_embedder(tmp_path, tiny_embedder(family="bert", pooling="pooled"))
    return tmp_path


def test_the_modules_say_how_states_become_an_embedding(saved: Path) -> None:
    assert modules(saved) == ["Transformer", "Pooling", "Dense", "Normalize"]
    own = read_modules(saved, 32)
    assert (own.pooling, own.normalised, own.dense, own.max_tokens) == ("pooled", True, "2_Dense", None)
    (saved / "tokenizer_config.json").write_text('{"model_max_length": 21}')
    assert read_modules(saved, 32).max_tokens == 21
    write_length(saved, 17)
    assert read_modules(saved, 32).max_tokens == 17


def test_newer_files_name_the_pooling(saved: Path) -> None:
    save_embedder(saved, tiny_embedder(family="bert", pooling="cls"))
    newer = {"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": True}
    (saved / "1_Pooling" / "config.json").write_text(json.dumps(newer))
    assert read_modules(saved, 32).pooling == "mean"


def edit(path: Path, **changes: object) -> None:
    content = json.loads(path.read_bytes()) if path.exists() else {}
    path.write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "1_Pooling/config.json",
            {"pooling_mode_max_tokens": True},
            "has the pooling cls, max: bertline computes mean",
        ),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": False}, "has the pooling none: bertline computes mean"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "has the pooling lasttoken: bertline computes mean"),
        ("2_Dense/config.json", {"out_features": 16}, "a dense layer that is not BERT's pooler, which follows cls"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.linear.Identity"}, "a bias and tanh"),
        ("sentence_bert_config.json", {"max_seq_length": 0}, "sets max_seq_length to 0: it must be a whole number"),
        (
            "config_sentence_transformers.json",
            {"prompts": {"query": "query: "}, "default_prompt_name": "query"},
            "puts the prompt 'query' before every text, which bertline does not: set default_prompt_name to null",
        ),
    ],
)
def test_what_bertline_does_not_compute_is_refused(
    saved: Path, name: str, changes: dict[str, object], message: str
) -> None:
    edit(saved / name, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_embedder(saved)


def test_other_modules_are_refused_by_name(saved: Path) -> None:
    listed = json.loads((saved / "modules.json").read_bytes())
    (saved / "modules.json").write_text(json.dumps([listed[0], {"type": "a.b.LSTM", "path": "1_LSTM"}]))
    with pytest.raises(CheckpointError, match="has the modules Transformer, LSTM: bertline computes Transformer"):
        load_embedder(saved)
    listed[0]["path"] = "0_Transformer"
    (saved / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(CheckpointError, match="has its Transformer in the folder 0_Transformer: move its files to"):
        load_embedder(saved)
    (saved / "modules.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"modules\.json is no list of modules"):
        load_embedder(saved)


def test_a_dense_layer_without_weights_is_refused(saved: Path) -> None:
    weight = torch.zeros(32, 32)
    write_tensors(saved / "2_Dense" / "model.safetensors", {"linear.weight": weight})
    with pytest.raises(CheckpointError, match=r"2_Dense lacks 1 weights of the dense layer \(linear\.bias\)"):
        load_embedder(saved)
    shutil.rmtree(saved / "2_Dense")
    with pytest.raises(CheckpointError, match="a dense layer that is not BERT's pooler"):
        load_embedder(saved)


def test_a_checkpoint_without_modules_is_no_embedder(tmp_path: Path) -> None:
    save_encoder(tmp_path, tiny_embedder(family="bert").encoder)
    with pytest.raises(CheckpointError, match=r"modules\.json is no list of modules"):
        load_embedder(tmp_path)
