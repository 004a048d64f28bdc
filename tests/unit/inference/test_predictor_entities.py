"""The predictor of a tagger: entities with their characters, alike on every engine, and those of transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from bertline.inference import load_predictor
from bertline.tasks.tag.answer import Answer
from bertline.tasks.tag.spec import Spec
from bertline.testing.tiny import random_texts, write_tiny_bundle

SPEC = Spec(types=("person", "place"), temperature=1.5)
TEXTS = ["a film", "", "Ünïcödé 東京 🙂", "Cafe\u0301\r\nis it !", *random_texts(20), " ".join(random_texts(8))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("taggers") / "tagger"
    write_tiny_bundle(path, engine=True, task=SPEC, pooling="none", truncation="window")
    return path


@pytest.mark.parametrize("engine", ["fp32", "torch"])
def test_a_text_has_the_same_entities_alone_and_among_others(bundle: Path, engine: str) -> None:
    predictor = load_predictor(bundle, engine=engine)
    together = predictor.predict(TEXTS)
    found = 0
    for text, answer in zip(TEXTS, together, strict=True):
        assert isinstance(answer, Answer)
        [alone] = predictor.predict([text])
        assert [one.entity for one in alone.entities] == [one.entity for one in answer.entities]
        assert [one.score for one in alone.entities] == pytest.approx([one.score for one in answer.entities], abs=1e-5)
        assert all(text[one.entity.start : one.entity.end] == one.text for one in answer.entities)
        assert answer.cut_tokens == 0
        found += len(answer.entities)
    assert found > 20


def test_a_long_text_is_read_in_windows_whole(bundle: Path) -> None:
    predictor = load_predictor(bundle)
    readings, arrays = predictor.pieces([TEXTS[-1]], "tags")
    assert len(readings[0].pieces) > 2
    assert [len(one) for one in arrays[0]] == [len(piece.ids) for piece in readings[0].pieces]
    [answer] = predictor.predict([TEXTS[-1]])
    assert answer.read_tokens == len(predictor.tokenizer.encode_whole([TEXTS[-1]])[0].ids) + 2
    assert max(one.entity.end for one in answer.entities) > 0.9 * len(TEXTS[-1])


def test_engines_agree(bundle: Path) -> None:
    ours, theirs = (load_predictor(bundle, engine=engine).predict(TEXTS) for engine in ("fp32", "torch"))
    assert [[one.entity for one in answer.entities] for answer in ours] == [
        [one.entity for one in answer.entities] for answer in theirs
    ]


def test_its_logits_equal_transformers(bundle: Path) -> None:
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(bundle), AutoTokenizer.from_pretrained(bundle)
    assert list(model.config.id2label.values()) == list(SPEC.labels)
    for text in TEXTS[:10]:
        _, [[ours]] = load_predictor(bundle).pieces([text], "tags")
        with torch.inference_mode():
            theirs = model(**tokenizer(text, return_tensors="pt")).logits[0].numpy()
        assert np.abs(ours - theirs).max() < 1e-4
