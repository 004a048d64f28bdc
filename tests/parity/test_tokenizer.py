"""Ids are those of transformers, on ordinary and on hostile texts, and the files we save tokenise alike there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizerFast
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from bertline.encoder.source import find_model
from bertline.text import Reader, Tokenizer, Truncation

pytestmark = pytest.mark.peer

MODEL = find_model("all-MiniLM-L6-v2")
OURS = Tokenizer.from_directory(MODEL)
THEIRS = BertTokenizerFast.from_pretrained(MODEL)
IN_PYTHON = BertTokenizerLegacy(MODEL / "vocab.txt")  # another implementation, without the tokenizers package
WHOLE = Truncation(max_tokens=10_000)

TEXTS = (
    "",
    " \t\r\n ",
    "A gripping, quietly devastating film -- don't miss it!",
    "naïve façade, Ångström, ÉCOLE, İstanbul, straße, ﬁnance",
    "東京で会いましょう。我爱北京天安门 한국어",
    "🎬🍿 👩‍👩‍👧‍👦 🇩🇪 flags and families",
    "zero\u200bwidth, soft\u00adhyphen, no\u00a0break, bell\x07, nul\x00, del\x7f, \ufeffmark, \ufffd",
    "line\u2028separator, next\u0085line, form\x0cfeed",
    "العربية עברית ไทย हिन्दी",
    "[CLS] a [MASK] b [SEP] [PAD] [UNK] [mask] [ MASK ] ##ing",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "ab" * 5_000,
    "a" + "\u0301" * 200 + " zalgo",
    "https://example.com/?q=1&r=%20#frag user@example.com C++ 3.14e-10 $5,000.00",
    "<script>alert('x')</script> '; DROP TABLE reviews; --",
)
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("abcdeéüß .,!?'\"-_#[]\t\n\x00\x07\u200b\u200d\ufffd中文かな한🎬🍿\u0301"),
)


def ids(tokenizer: Tokenizer, text: str, truncation: Truncation = WHOLE) -> list[int]:
    (reading,) = Reader(tokenizer, truncation).read([text])
    return reading.piece.ids


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts(text: str) -> None:
    assert ids(OURS, text) == THEIRS(text)["input_ids"]


@settings(max_examples=200)
@given(st.text(CHARACTERS, max_size=60))
@example("İ")
def test_drawn_texts(text: str) -> None:
    assert ids(OURS, text) == THEIRS(text)["input_ids"]


@pytest.mark.parametrize("text", [text for text in TEXTS if "[CLS]" not in text and "\u0085" not in text])
def test_the_tokenizer_that_is_written_in_python_agrees(text: str) -> None:
    assert ids(OURS, text) == IN_PYTHON(text)["input_ids"]


@pytest.mark.parametrize("max_tokens", [4, 7, 64])
@pytest.mark.parametrize("text", TEXTS)
def test_the_head_alone_is_the_truncation_of_transformers(text: str, max_tokens: int) -> None:
    theirs = THEIRS(text, truncation=True, max_length=max_tokens)["input_ids"]
    assert ids(OURS, text, Truncation(max_tokens, "head")) == theirs


def test_the_saved_files_tokenise_identically_in_transformers(tmp_path: Path) -> None:
    OURS.save(tmp_path, max_tokens=128)
    for theirs in (AutoTokenizer.from_pretrained(tmp_path), BertTokenizerFast.from_pretrained(tmp_path)):
        assert [theirs(text)["input_ids"] for text in TEXTS] == [ids(OURS, text) for text in TEXTS]
        assert theirs.model_max_length == 128
        assert (theirs.pad_token_id, theirs.mask_token_id) == (OURS.pad_id, OURS.mask_id)


@pytest.mark.parametrize("accents", [None, True, False])
@pytest.mark.parametrize("chinese", [True, False])
@pytest.mark.parametrize("lower", [True, False])
def test_every_way_to_normalise_survives_saving(
    tmp_path: Path, lower: bool, chinese: bool, accents: bool | None
) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "e", "é", "E", "É", "中", "文", "##文", "中文"]
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    config: dict[str, Any] = {"do_lower_case": lower, "tokenize_chinese_chars": chinese, "strip_accents": accents}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    text = "é É e E 中文"
    ours = Tokenizer.from_directory(tmp_path)
    assert ids(ours, text) == BertTokenizerFast.from_pretrained(tmp_path)(text)["input_ids"]
    saved = tmp_path / "saved"
    saved.mkdir()
    ours.save(saved)
    assert AutoTokenizer.from_pretrained(saved)(text)["input_ids"] == ids(ours, text)
    (saved / "tokenizer.json").unlink()
    assert ids(Tokenizer.from_directory(saved), text) == ids(ours, text)
