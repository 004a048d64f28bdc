"""Ids against transformers are in tests/parity/test_tokenizer.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.encoder.source import find_model
from bertline.errors import CheckpointError
from bertline.text import Piece, Reader, Reading, Span, Tokenizer, Truncation

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "##s", "!", "é", "e", "A", "中", "文"]
FILES = {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"}
MINILM = find_model("all-MiniLM-L6-v2")


def write(directory: Path, words: list[str], **config: object) -> Path:
    (directory / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    if config:
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


def read(tokenizer: Tokenizer, text: str, truncation: Truncation | None = None) -> list[str]:
    (reading,) = Reader(tokenizer, truncation or Truncation()).read([text])
    return tokenizer.tokens(reading.piece.ids)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_directory(write(tmp_path, WORDS))


@pytest.fixture(scope="module")
def minilm() -> Tokenizer:
    return Tokenizer.from_directory(MINILM)


def test_a_vocabulary_alone_makes_a_tokenizer(tokenizer: Tokenizer) -> None:
    assert read(tokenizer, "A films é 中文 zzz!") == [
        *("[CLS]", "a", "film", "##s", "e", "中", "文", "[UNK]", "!", "[SEP]"),
    ]
    assert tokenizer.vocab_size == len(WORDS)
    specials = (tokenizer.pad_id, tokenizer.unknown_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id)
    assert specials == (0, 1, 2, 3, 4)


def test_the_vocabulary_is_counted_once(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tokenizer.vocab_size == len(WORDS)
    monkeypatch.setattr(tokenizer, "_wordpiece", None)  # each request asks for the size, and counting takes long
    assert tokenizer.vocab_size == len(WORDS)


def test_a_cased_vocabulary(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_directory(write(tmp_path, WORDS, do_lower_case=False))
    assert read(tokenizer, "A é e") == ["[CLS]", "A", "é", "e", "[SEP]"]


def test_a_vocabulary_line_ends_at_its_newline_only(tmp_path: Path) -> None:
    words = [*WORDS, "x\u2028y", "q\u0085r", "z\x0cz", "last"]
    tokenizer = Tokenizer.from_directory(write(tmp_path, words))
    assert tokenizer.tokens(range(len(words))) == words
    (reading,) = Reader(tokenizer, Truncation()).read(["last"])
    assert reading.piece.ids == [2, len(words) - 1, 3]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_last_line_may_lack_its_newline_and_lines_may_end_as_on_windows(tmp_path: Path, newline: str) -> None:
    (tmp_path / "vocab.txt").write_bytes(newline.join(WORDS).encode())
    assert Tokenizer.from_directory(tmp_path).vocab_size == len(WORDS)


def test_no_texts_and_an_empty_text(tokenizer: Tokenizer) -> None:
    assert Reader(tokenizer, Truncation()).read([]) == []
    assert Reader(tokenizer, Truncation()).read(["", " \n"]) == [Reading([Piece([2, 3])], 2, unread=(0,))] * 2


def test_an_id_without_a_token_is_shown_as_nothing(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokens([2, 999]) == ["[CLS]", ""]


def test_half_a_surrogate_pair_is_read_as_an_unknown_character(minilm: Tokenizer) -> None:
    lone, replaced, whole, pair = Reader(minilm, Truncation()).read(
        ["a \ud83d b", "a \ufffd b", "a \U0001f3ac b", "a \ud83c\udfac b"]
    )
    assert lone == replaced
    assert pair == whole


def test_spans_are_the_places_of_tokens_in_characters(tokenizer: Tokenizer) -> None:
    assert tokenizer.spans("🙂 A films!") == [
        Span(1, "[UNK]", 0, 1),
        Span(5, "a", 2, 3),
        Span(6, "film", 4, 8),
        Span(7, "##s", 8, 9),
        Span(8, "!", 9, 10),
    ]
    assert tokenizer.spans("") == []


@settings(max_examples=25)
@given(text=st.text(max_size=80))
def test_spans_are_in_the_text_and_in_its_order(minilm: Tokenizer, text: str) -> None:
    spans = minilm.spans(text)
    assert [one.id for one in spans] == minilm.encode_whole([text])[0].ids
    assert all(0 <= one.start <= one.end <= len(text) for one in spans)
    assert [one.start for one in spans] == sorted(one.start for one in spans)


def test_ids_become_a_text_again(tokenizer: Tokenizer) -> None:
    (reading,) = Reader(tokenizer, Truncation()).read(["A films !"])
    assert tokenizer.decode(reading.piece.ids) == "a films!"
    assert tokenizer.decode(reading.piece.ids, skip_special_tokens=False) == "[CLS] a films! [SEP]"
    assert tokenizer.decode([]) == ""


def test_it_round_trips_through_its_files(minilm: Tokenizer, tmp_path: Path) -> None:
    texts = ["A gripping film!", "naïve façade", "東京 🎬", "[MASK] [SEP]", "x" * 120]
    minilm.save(tmp_path, max_tokens=128)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    expected = Reader(minilm, Truncation()).read(texts)
    assert Reader(Tokenizer.from_directory(tmp_path), Truncation()).read(texts) == expected
    (tmp_path / "tokenizer.json").unlink()
    assert Reader(Tokenizer.from_directory(tmp_path), Truncation()).read(texts) == expected
    assert (tmp_path / "vocab.txt").read_bytes() == (MINILM / "vocab.txt").read_bytes()
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 128


def test_saved_twice_it_is_the_same_files(minilm: Tokenizer, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for directory in (first, second):
        directory.mkdir()
    minilm.save(first)
    Tokenizer.from_directory(first).save(second)
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in FILES)


def test_a_gap_in_the_ids_keeps_the_lines_of_the_vocabulary_in_place(tmp_path: Path) -> None:
    words = [*WORDS[:5], "film", "film", "!"]  # the later line counts, as in transformers
    tokenizer = Tokenizer.from_directory(write(tmp_path, words))
    saved = tmp_path / "saved"
    saved.mkdir()
    tokenizer.save(saved)
    assert (saved / "vocab.txt").read_text().splitlines() == [*WORDS[:5], "", "film", "!"]
    (saved / "tokenizer.json").unlink()
    assert Reader(Tokenizer.from_directory(saved), Truncation()).read(["film!"]) == [Reading([Piece([2, 6, 7, 3])], 4)]


def test_settings_of_the_saved_tokenizer_neither_truncate_nor_pad(tmp_path: Path) -> None:
    library = tokenizers.Tokenizer.from_file(str(MINILM / "tokenizer.json"))
    library.enable_truncation(4)
    library.enable_padding(length=64)
    library.save(str(tmp_path / "tokenizer.json"))
    (reading,) = Reader(Tokenizer.from_directory(tmp_path), Truncation()).read(["one two three four five six"])
    assert (len(reading.piece.ids), reading.cut) == (8, 0)


@pytest.mark.parametrize("missing", ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"])
def test_a_missing_special_token_is_named(tmp_path: Path, missing: str) -> None:
    write(tmp_path, [word for word in WORDS if word != missing])
    sentence = f"{tmp_path / 'vocab.txt'} has no {missing} in its vocabulary: bertline needs BERT's special tokens or"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


def test_a_missing_special_token_of_a_tokenizer_json_is_named(tmp_path: Path) -> None:
    model = tokenizers.models.WordLevel({"<s>": 0, "<unk>": 1}, unk_token="<unk>")
    tokenizers.Tokenizer(model).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json has no \[SEP\] in its vocabulary: bertline needs"):
        Tokenizer.from_directory(tmp_path)


def test_a_directory_without_a_tokenizer(tmp_path: Path) -> None:
    sentence = f"{tmp_path} has no tokenizer: it needs tokenizer.json or vocab.txt beside config.json"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Tokenizer.from_directory(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("tokenizer.json", b'{"version": "1.0"', "cannot be read as a tokenizer ("),
        ("tokenizer.json", b"\xff\xfe", "cannot be read as a tokenizer ("),
        ("vocab.txt", b"[PAD]\n\xff\n", "cannot be read as a vocabulary ("),
        ("tokenizer_config.json", b"{", "is not valid JSON ("),
        ("tokenizer_config.json", b"[1]", "is not a JSON object"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    write(tmp_path, WORDS)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / name} {sentence}")):
        Tokenizer.from_directory(tmp_path)
