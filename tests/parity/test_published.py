"""Two hundred checkpoints as people publish them: each is read as transformers reads it, or refused in one sentence."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, pipeline

from bertline.encoder.agreement import load_tokenizer
from bertline.encoder.checkpoint import load_pretrained, save_classifier
from bertline.encoder.heads import Classifier
from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text import Reader, Tokenizer, Truncation
from tests.parity.published import PROBES, Draw, draw
from tests.parity.tolerances import TOLERANCES, difference

pytestmark = pytest.mark.peer

BLOCK = 20
LABELS = ("a", "b", "c")


def framed(tokenizer: Tokenizer) -> list[list[int]]:
    return [one.piece.ids for one in Reader(tokenizer, Truncation()).read(PROBES)]


def theirs(directory: Path) -> list[list[int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = AutoTokenizer.from_pretrained(directory)
    ids: list[list[int]] = tokenizer(list(PROBES))["input_ids"]
    return ids


def read(directory: Path) -> tuple[Tokenizer, Classifier]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        tokenizer = load_tokenizer(directory)
        return tokenizer, load_pretrained(directory, labels=3, dropout=0.0).eval()


def assert_states(drawn: Draw, classifier: Classifier, ids: list[list[int]]) -> None:
    for text in map(torch.tensor, ids):
        with torch.inference_mode():
            ours = classifier.encoder(text[None], None).last
            assert difference(ours, drawn.model.base_model(text[None]).last_hidden_state) <= TOLERANCES["hidden states"]


def assert_bundle(tokenizer: Tokenizer, classifier: Classifier, ids: list[list[int]], bundle: Path) -> None:
    """What we write is read by transformers with the same ids and logits, and by ourselves with the same ids."""
    bundle.mkdir()
    save_classifier(bundle, classifier, labels=LABELS)
    tokenizer.save(bundle)
    assert theirs(bundle) == ids
    assert framed(Tokenizer.from_bundle(bundle)) == ids
    assert framed(Tokenizer.from_directory(bundle)) == ids  # without a warning
    classify: Any = pipeline("text-classification", model=str(bundle), top_k=None, function_to_apply="none")
    for text, row in zip(PROBES, ids, strict=True):
        scores = {one["label"]: one["score"] for one in classify([text])[0]}
        with torch.inference_mode():
            (ours,) = classifier(torch.tensor([row]), None)
        assert difference(ours, torch.tensor([scores[label] for label in LABELS])) <= TOLERANCES["logits"]


def outcome(seed: int, directory: Path) -> str:
    """The word equal, or the sentence of the refusal."""
    source = directory / "source"
    source.mkdir()
    drawn = draw(seed, source)
    try:
        tokenizer, classifier = read(source)
    except CheckpointError as error:
        return str(error)
    ids = framed(tokenizer)
    if "model_type" in (source / "config.json").read_text() or (source / "tokenizer.json").is_file():
        assert theirs(source) == ids
    assert_states(drawn, classifier, ids)
    assert_bundle(tokenizer, classifier, ids, directory / "bundle")
    return "equal"


@pytest.mark.parametrize("block", [*range(4), *(pytest.param(one, marks=pytest.mark.drill) for one in range(4, 10))])
def test_a_random_checkpoint_is_read_as_transformers_reads_it_or_refused(block: int, tmp_path: Path) -> None:
    """T1 to T6."""
    outcomes = []
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        directory = tmp_path / str(seed)
        directory.mkdir()
        outcomes.append(outcome(seed, directory))
        refusal = outcomes[-1]
        assert refusal == "equal" or re.fullmatch(r"[^\n]{40,}[^\n.]", refusal), refusal
    assert outcomes.count("equal") >= 3
    assert len(outcomes) - outcomes.count("equal") >= 3
