"""On real tiny networks: shares add up to the answer, whatever they start from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertline.encoder.network import load_network
from bertline.errors import UsageError
from bertline.explanation.explain import explain
from bertline.explanation.found import Explanation
from bertline.explanation.gradients import words_of_tokens
from bertline.explanation.settings import ExplainSettings
from bertline.explanation.words import Word
from bertline.inference import load_predictor
from bertline.testing.tiny import write_tiny_bundle
from bertline.text import Input
from bertline.text.reading import Piece

TEXT = "I didn't like the film, it is so bad."
KINDS: dict[str, dict[str, Any]] = {
    "one label": {},
    "several": {"task": {"task": "classify", "problem": "several", "labels": ["a", "b"], "thresholds": [0.5, 0.5]}},
    "number": {"task": {"task": "classify", "problem": "number", "labels": ["stars"]}},
    "rank": {"task": {"task": "rank", "highest": 1.0}},
}


def found(path: Path, one: Input = TEXT, **settings: Any) -> Explanation:
    given = ExplainSettings(method="integrated-gradients", **settings)
    return explain(load_predictor(path), one, given)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.mark.parametrize("baseline", ["mask", "pad", "zero", "average"])
def test_shares_and_base_add_up_to_the_answer(bundle: Path, baseline: str) -> None:
    one = found(bundle, baseline=baseline, budget=600)
    rest = one.base + sum(part.share for part in one.words) - one.value
    assert one.completeness_error == pytest.approx(abs(rest) / abs(one.value - one.base))
    assert one.completeness_error < 0.01
    assert one.value == pytest.approx(explain(load_predictor(bundle), TEXT, ExplainSettings()).value, abs=1e-4)
    assert [part.word.text for part in one.words][1] == "didn't"
    assert found(bundle, baseline=baseline, budget=600) == one


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_answers(tmp_path: Path, kind: str) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True, **KINDS[kind])
    text: Input = ("a film", "it is so bad") if kind == "rank" else TEXT
    one = found(tmp_path / "b", text, budget=600)
    assert one.completeness_error is not None
    assert one.completeness_error < 0.01
    assert one.value == pytest.approx(explain(load_predictor(tmp_path / "b"), text, ExplainSettings()).value, abs=1e-4)
    assert {part.word.side for part in one.words} == ({0, 1} if kind == "rank" else {0})


def test_shares_are_the_mean_gradient_times_the_difference(bundle: Path) -> None:
    """Beside a plain sum over 200 midpoints, from [PAD]."""
    predictor = load_predictor(bundle)
    one = found(bundle, "so bad", baseline="pad", budget=600)
    network = load_network(bundle).eval()
    piece = predictor.read(["so bad"])[0].piece
    table = network.encoder.embeddings.token.weight.detach()  # type: ignore[union-attr]
    text = table[piece.ids]
    start = text.clone()
    start[1:-1] = table[predictor.tokenizer.pad_id]
    total = torch.zeros_like(text)
    place = predictor.spec.labels.index(one.name)
    for node in (np.arange(200) + 0.5) / 200:
        point = (start + float(node) * (text - start))[None].requires_grad_()
        handle = network.encoder.embeddings.token.register_forward_hook(lambda *_, point=point: point)  # type: ignore[union-attr]
        logits = network(torch.tensor([piece.ids]), None)[0] / predictor.spec.temperature
        handle.remove()
        rest = torch.cat([logits[:place], logits[place + 1 :]]).logsumexp(0)
        total += torch.autograd.grad(logits[place] - rest, point)[0][0] / 200
    tokens = ((text - start) * total).sum(1)[1:-1]
    words = predictor.tokenizer.encode_whole(["so bad"], offsets=True)[0].words
    assert words is not None
    sums = [float(tokens[[w == k for w in words]].sum()) for k in (0, 1)]
    assert [part.share for part in one.words] == pytest.approx(sums, rel=0.02, abs=2e-3)


def test_each_token_belongs_to_its_own_word() -> None:
    """Also of a pair without segments, as RoBERTa reads it, and where the first piece of a word was cut."""
    piece = Piece([0] * 9, None, [(0, 0), (0, 2), (2, 4), (0, 0), (0, 0), (3, 5), (6, 8), (0, 0), (0, 0)], None, PLACES)
    words = [Word("this", 0, 0, 4), Word("other", 1, 0, 5), Word("is", 1, 6, 8)]
    assert words_of_tokens(piece, words).tolist() == [-1, 0, 0, -1, -1, 1, 2, -1, -1]


PLACES = [-1, 0, 1, -1, -1, 1, 2, -1, -1]


def test_nodes_are_doubled_only_within_the_budget(bundle: Path) -> None:
    assert found(bundle, budget=8).answers == 8
    assert found(bundle, budget=40).answers == 16


def test_what_has_no_integrated_gradients(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"task": "tag", "types": ["person", "place"]}
    write_tiny_bundle(tmp_path / "tagger", engine=True, task=spec, truncation="window", pooling="none")
    settings = ExplainSettings(method="integrated-gradients")
    with pytest.raises(UsageError, match="integrated gradients are for classifiers and rankers: choose another method"):
        explain(load_predictor(tmp_path / "tagger"), "a film", settings, "place", (0, 1))
    write_tiny_bundle(tmp_path / "windows", engine=True, truncation="window")
    with pytest.raises(UsageError, match="longer than what the model reads at a time, and integrated gradients are of"):
        explain(load_predictor(tmp_path / "windows"), "it is " * 40, settings)
    predictor = load_predictor(bundle)

    class Served:
        spec, tokenizer, pieces = predictor.spec, predictor.tokenizer, predictor.pieces

    with pytest.raises(UsageError, match="need PyTorch, which a server does not use: run bertline explain"):
        explain(Served(), TEXT, settings)  # type: ignore[arg-type]
    words = load_predictor(bundle)
    words.engine = "words"
    with pytest.raises(UsageError, match="are those of the encoder, and the engine words answers without it: choose"):
        explain(words, TEXT, settings)
    monkeypatch.delitem(sys.modules, "bertline.explanation.gradients", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r"need PyTorch and torch is not installed: pip install 'bertline\[train\]'"):
        explain(predictor, TEXT, settings)
