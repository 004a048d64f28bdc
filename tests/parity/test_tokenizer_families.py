"""Tokenizers of RoBERTa, XLM-R and CamemBERT: the ids, offsets and pairs of ``AutoTokenizer``, in a bundle too."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import normalizers
from transformers import AutoTokenizer

from bertline.errors import CheckpointError, CheckpointWarning, SettingsError
from bertline.text import Reader, Tokenizer, Truncation
from tests.tokenizers import FAIRSEQ, NOTUSED, TEXTS, bpe, unigram

pytestmark = pytest.mark.peer

PAIRS = [(first, second) for first in TEXTS for second in (TEXTS[0], TEXTS[1], TEXTS[4])]


def roles(**more: Any) -> dict[str, Any]:
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>"}
    return {**named, "cls_token": "<s>", "mask_token": "<mask>", **more}


CHECKPOINTS: dict[str, tuple[str, tokenizers.Tokenizer, dict[str, Any] | None]] = {
    "roberta": ("roberta", bpe(), None),
    "roberta with its settings": (
        "roberta",
        bpe(prefix=True),
        roles(tokenizer_class="RobertaTokenizer", add_prefix_space=True),
    ),
    "roberta, untrimmed": ("roberta", bpe(), roles(tokenizer_class="RobertaTokenizerFast", trim_offsets=False)),
    "roberta as it is": ("roberta", bpe(), roles(tokenizer_class="PreTrainedTokenizerFast")),
    "roberta without roles": ("roberta", bpe(), {"tokenizer_class": "PreTrainedTokenizerFast"}),
    "xlm-roberta": ("xlm-roberta", unigram(FAIRSEQ), roles(tokenizer_class="XLMRobertaTokenizer")),
    "xlm-roberta without settings": ("xlm-roberta", unigram(FAIRSEQ), None),
    "xlm-roberta as it is": ("xlm-roberta", unigram(FAIRSEQ, True), roles(tokenizer_class="TokenizersBackend")),
    "camembert": ("camembert", unigram(NOTUSED), roles(tokenizer_class="CamembertTokenizerFast")),
    "camembert without its extra tokens": ("camembert", unigram(FAIRSEQ), None),
}


def write(directory: Path, family: str, fast: tokenizers.Tokenizer, settings: dict[str, Any] | None) -> Path:
    (directory / "config.json").write_text(json.dumps({"model_type": family}))
    fast.save(str(directory / "tokenizer.json"))
    if settings is not None:
        (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return directory


def assert_equal(ours: Tokenizer, theirs: Any) -> None:
    how = {"return_offsets_mapping": True, "truncation": "longest_first"}
    for max_tokens in (8, 9, 13, 512):
        reader = Reader(ours, Truncation(max_tokens, "head"), offsets=True)
        readings = reader.read(TEXTS)
        expected = theirs(list(TEXTS), max_length=max_tokens, **how)
        assert [one.piece.ids for one in readings] == expected["input_ids"]
        assert [one.piece.offsets for one in readings] == expected["offset_mapping"]
        for first, second in PAIRS:
            (reading,) = reader.read([(first, second)])
            expected = theirs([first], [second], max_length=max_tokens, return_token_type_ids=True, **how)
            piece = reading.piece
            assert [piece.ids] == expected["input_ids"]
            assert [piece.segments or [0] * len(piece.ids)] == expected["token_type_ids"]
            assert [piece.offsets] == expected["offset_mapping"]
            assert len(piece.words or ()) == len(piece.places or ()) == len(piece.ids)
            assert [reading.read + reading.cut] == [*map(len, theirs([first], [second])["input_ids"])]


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_ids_offsets_and_pairs(kind: str, tmp_path: Path) -> None:
    directory = write(tmp_path, *CHECKPOINTS[kind])
    ours = Tokenizer.from_directory(directory)
    theirs = AutoTokenizer.from_pretrained(directory)
    assert_equal(ours, theirs)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    ours.save(bundle)
    (bundle / "config.json").write_text((directory / "config.json").read_text())
    assert_equal(Tokenizer.from_bundle(bundle), theirs)
    assert_equal(ours, AutoTokenizer.from_pretrained(bundle))
    ids = ours.encode_whole([TEXTS[2]])[0].ids
    assert ours.tokens(ids) == theirs.convert_ids_to_tokens(ids)
    assert ours.join(ours.tokens(ids)) == theirs.convert_tokens_to_string(ours.tokens(ids))


def test_the_vocabulary_and_the_merges_of_roberta_are_enough(tmp_path: Path) -> None:
    bpe().model.save(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    ours = Tokenizer.from_directory(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert_equal(ours, theirs)
    assert (ours.cls_id, ours.pad_id, ours.sep_id, ours.unknown_id, ours.mask_id) == (0, 1, 2, 3, 4)
    assert (ours.separators, ours.second_segment) == (2, 0)


def test_a_sentencepiece_model_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"\n")
    sentence = (
        f"{tmp_path} has no tokenizer.json, only sentencepiece.bpe.model, which bertline does not read: save the "
        "tokenizer there again with save_pretrained of transformers"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


def test_a_directory_without_a_vocabulary_of_its_class(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    (tmp_path / "vocab.json").write_text("{}")
    sentence = "has no tokenizer: it needs tokenizer.json or vocab.json and merges.txt beside config.json"
    with pytest.raises(CheckpointError, match=sentence):
        Tokenizer.from_directory(tmp_path)


def test_a_model_of_another_kind_than_its_class_builds(tmp_path: Path) -> None:
    write(tmp_path, "roberta", unigram(FAIRSEQ), None)
    sentence = "has a Unigram model, but its tokenizer class needs BPE: name the class PreTrainedTokenizerFast in"
    with pytest.raises(CheckpointError, match=sentence):
        Tokenizer.from_directory(tmp_path)


def test_parts_that_the_class_replaces_are_named(tmp_path: Path) -> None:
    fast = bpe()
    fast.normalizer = normalizers.Lowercase()  # type: ignore[assignment]
    write(tmp_path, "roberta", fast, None)
    with pytest.warns(CheckpointWarning, match=r"its normaliser has no effect, because transformers builds a Roberta"):
        ours = Tokenizer.from_directory(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_equal(ours, AutoTokenizer.from_pretrained(tmp_path))


def test_pairs_need_room_for_their_separators(tmp_path: Path) -> None:
    ours = Tokenizer.from_directory(write(tmp_path, *CHECKPOINTS["roberta"]))
    with pytest.raises(SettingsError, match="max_tokens is 4: give at least 5 for pairs of texts"):
        Reader(ours, Truncation(4)).read([("a", "b")])
