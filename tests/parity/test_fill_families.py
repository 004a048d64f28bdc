"""Filled words of every other family equal those of ``pipeline("fill-mask")``, with each family's kind of tokenizer."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import transformers

from bertline.inference import load_predictor
from bertline.inference.predictor import TextClassifier
from bertline.tasks.fill.pipeline import entries
from bertline.tasks.fill.spec import Spec
from bertline.testing.tiny import tiny_tokenizer
from bertline.training.imported import import_checkpoint
from tests.parity.peers import FAMILIES, hf_config, hf_masked
from tests.parity.test_fill import CHOICES as WORDPIECE_CHOICES
from tests.parity.test_tokenizer_families import roles
from tests.parity.tolerances import TOLERANCES
from tests.tokenizers import FAIRSEQ, NOTUSED, bpe, unigram

pytestmark = pytest.mark.peer
FAST = {"roberta": bpe, "xlm-roberta": lambda: unigram(FAIRSEQ), "camembert": lambda: unigram(NOTUSED)}
CLASSES = {"roberta": "RobertaTokenizer", "xlm-roberta": "XLMRobertaTokenizer", "camembert": "CamembertTokenizer"}
POSITIONS = 40
# {} is the family's [MASK].
TEXTS = [
    "a {} film",
    "{}",
    " A {}  good {}, film is {} !",
    "naïve films 中文 {} 🎬{}",
    "don't{}that <s>{}.",
]
CHOICES: list[dict[str, Any]] = [
    {},
    {"top_k": 3},
    {"top_k": 17},
    {"targets": ["film", "a", "good"]},
    {"targets": ["▁film", "Ġfilm", "s"], "top_k": 2},
    {"targets": "film"},
]


def checkpoint(directory: Path, family: str) -> Path:
    """A random masked language model of transformers with a tokenizer of its family."""
    shape = {"hidden": 16, "layers": 2, "heads": 2, "feed_forward": 24, "embedding": 8, "max_positions": POSITIONS}
    if family in FAST:
        fast = FAST[family]()
        fast.save(str(directory / "tokenizer.json"))
        named = {**roles(tokenizer_class=CLASSES[family]), "model_max_length": POSITIONS - 2}
        (directory / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
        shape |= {"vocab_size": fast.get_vocab_size(), "pad_id": 1}
    else:
        tokenizer = tiny_tokenizer()
        tokenizer.save(directory, max_tokens=POSITIONS)
        shape |= {"vocab_size": tokenizer.vocab_size, "pad_id": tokenizer.pad_id}
    hf_masked(hf_config(family, shape)).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module", params=[one for one in FAMILIES if one not in ("bert", "distilbert")])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TextClassifier, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "published").mkdir()
    directory = checkpoint(folder / "published", request.param)
    import_checkpoint(str(directory), folder / "bundle")
    return load_predictor(folder / "bundle"), transformers.pipeline("fill-mask", model=str(directory), device="cpu")


def test_the_families_are_all_that_fill(both: tuple[TextClassifier, Any]) -> None:
    assert {"roberta", "xlm-roberta", "camembert", "electra"} <= {*FAMILIES}
    assert both[0].tokenizer.mask == both[1].tokenizer.mask_token


@pytest.mark.parametrize("number", range(len(CHOICES)))
def test_words_scores_and_sequences(
    both: tuple[TextClassifier, Any], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, pipeline = both
    mask = predictor.tokenizer.mask
    choice = (CHOICES if mask == "<mask>" else WORDPIECE_CHOICES)[number]
    monkeypatch.setattr(logging.getLogger("transformers"), "disabled", True)
    targets = [choice["targets"]] if isinstance(choice.get("targets"), str) else choice.get("targets")
    assert isinstance(predictor.spec, Spec)
    spec = predictor.spec.choosing(choice.get("top_k"), targets)
    texts = [text.format(*[mask] * text.count("{}")) for text in TEXTS]
    readings, arrays = predictor.pieces(texts, "vocabulary")
    for text, reading, rows in zip(texts, readings, arrays, strict=True):
        ours: Any = entries(spec, reading, rows)
        theirs: Any = pipeline(text, **choice)
        if text.count(mask) == 1:
            ours, theirs = [ours], [theirs]
        assert len(ours) == len(theirs) == text.count(mask)
        for own, other in zip(ours, theirs, strict=True):
            scores = [one["score"] for one in other]
            assert [one["score"] for one in own] == pytest.approx(scores, abs=TOLERANCES["batch"])
            kept = ("token", "token_str", "sequence")
            assert [[one[key] for key in kept] for one in own] == [[one[key] for key in kept] for one in other]
