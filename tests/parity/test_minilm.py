"""all-MiniLM-L6-v2: real weights, real sentences, the same states and the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from bertline.data.batching import pad
from bertline.encoder.checkpoint import load_encoder, save_encoder
from bertline.encoder.encoder import Encoder
from bertline.encoder.source import find_model
from bertline.text import Reader, Tokenizer, Truncation
from tests.parity.tolerances import TOLERANCES, difference

pytestmark = pytest.mark.peer

SENTENCES = (
    "a gripping, quietly devastating film",
    "It is neither funny nor moving, and at two hours it is far too long.",
    "no",
    "The Société Générale opened 1.2% higher; oil fell below $70 a barrel for the first time since May.",
    "¿Qué tal? 東京で会いましょう 🎬🍿",
    'the best line, "we\'ll always have Paris", is from another film altogether ' * 6,
)


@pytest.fixture(scope="module")
def directory() -> Path:
    return find_model("all-MiniLM-L6-v2")


@pytest.fixture(scope="module")
def encoder(directory: Path) -> Encoder:
    return load_encoder(directory).eval()


def test_states_and_attentions_of_every_layer(directory: Path, encoder: Encoder) -> None:
    model: Any = AutoModel.from_pretrained(directory, attn_implementation="eager").eval()
    theirs_in = AutoTokenizer.from_pretrained(directory)(list(SENTENCES), padding=True, return_tensors="pt")
    readings = Reader(Tokenizer.from_directory(directory), Truncation()).read(SENTENCES)
    batch = pad([one.piece.ids for one in readings], encoder.config.pad_id)
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    assert torch.equal(ids, theirs_in["input_ids"])
    assert torch.equal(attend.long(), theirs_in["attention_mask"])
    with torch.no_grad():
        theirs = model(**theirs_in, output_hidden_states=True, output_attentions=True)
        ours = encoder(ids, attend, want_hidden_states=True, want_attentions=True)
        fused = encoder(ids, attend)
    assert len(ours.hidden_states or ()) == 7
    for mine, other in zip(ours.hidden_states or (), theirs.hidden_states, strict=True):
        assert difference(mine[attend], other[attend]) <= TOLERANCES["real weights"]
    for mine, other in zip(ours.attentions or (), theirs.attentions, strict=True):
        assert difference(mine.transpose(1, 2)[attend], other.transpose(1, 2)[attend]) <= TOLERANCES["attentions"]
    assert difference(fused.last[attend], theirs.last_hidden_state[attend]) <= TOLERANCES["real weights"]


def test_written_again_its_weights_have_the_same_names_and_bits(
    directory: Path, encoder: Encoder, tmp_path: Path
) -> None:
    save_encoder(tmp_path, encoder)
    theirs, ours = (load_file(place / "model.safetensors") for place in (directory, tmp_path))
    left_aside = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
    assert ours.keys() == theirs.keys() - left_aside
    assert not [name for name in ours if difference(ours[name], theirs[name]) > TOLERANCES["round trip"]]
