"""Texts become streams of tokens on disk: nothing is lost, held-out texts are apart, and whole files are read again."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from bertline.data.corpus import Corpus, is_held_out
from bertline.data.settings import TableSettings
from bertline.errors import DataError
from bertline.testing.tiny import random_texts, tiny_tokenizer
from bertline.training.pretraining import tokens as module
from bertline.training.pretraining.tokens import FACTS, Tokens, tokens_of

TEXTS = random_texts(300)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS))
    return path


def written(directory: Path, *sources: Path, held_out_tokens: int = 10_000, **more: object) -> Tokens:
    corpus = Corpus([str(one) for one in sources], TableSettings())
    return tokens_of(directory, corpus, tiny_tokenizer(), held_out_tokens=held_out_tokens, **more)  # type: ignore[arg-type]


def ids_of(texts: list[str]) -> list[int]:
    tokenizer = tiny_tokenizer()
    return [id_ for one in tokenizer.encode_whole(texts) for id_ in (*one.ids, tokenizer.sep_id)]


def test_every_text_is_in_one_stream_followed_by_sep(source: Path, tmp_path: Path) -> None:
    tokens = written(tmp_path / "tokens", source)
    held_out = [text for text in TEXTS if is_held_out(text)]
    assert 5 <= len(held_out) <= 30
    assert tokens.held_out.tolist() == ids_of(held_out)
    assert tokens.train.tolist() == ids_of([text for text in TEXTS if not is_held_out(text)])
    assert (tokens.texts, tokens.held_out_texts) == (300 - len(held_out), len(held_out))
    assert isinstance(tokens.train, np.memmap)
    assert tokens.train.dtype == np.uint16


def test_tables_and_gzipped_files_give_the_same_tokens(source: Path, tmp_path: Path) -> None:
    table, packed = tmp_path / "texts.csv", tmp_path / "texts.txt.gz"
    table.write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS))
    packed.write_bytes(gzip.compress(source.read_bytes()))
    digests = {written(tmp_path / one.name[-3:], one).digest for one in (source, table, packed)}
    assert len(digests) == 1
    both = written(tmp_path / "both", source, table)
    assert len(both.train) == 2 * len(written(tmp_path / "one", source).train)


def test_beyond_the_wanted_tokens_texts_are_trained_on_but_not_those_held_out_already(tmp_path: Path) -> None:
    chosen = next(text for text in TEXTS if is_held_out(text))
    others = [text for text in TEXTS if is_held_out(text) and text != chosen]
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in [chosen, *["plain text"] * 1000, *others, chosen]))
    tokens = written(tmp_path / "tokens", path, held_out_tokens=1)
    assert tokens.held_out.tolist() == ids_of([chosen, chosen])
    assert tokens.texts == 1000 + len(others)


def test_excluded_texts_are_left_out_however_they_are_written(source: Path, tmp_path: Path) -> None:
    tokens = written(tmp_path / "tokens", source, excluded={"a film"})
    assert tokens.excluded == 0
    source.write_text(source.read_text() + "  A   film!\n")
    tokens = written(tmp_path / "tokens", source, excluded={"a film"}, identity="a film")
    assert (tokens.excluded, tokens.texts + tokens.held_out_texts) == (1, 300)


def test_tokens_of_the_same_files_are_used_again_and_others_are_not(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(tmp_path / "tokens", source)
    monkeypatch.setattr(module, "_write", lambda *_: pytest.fail("written again"))
    assert written(tmp_path / "tokens", source).digest == first.digest
    monkeypatch.undo()
    source.write_text(source.read_text().replace("a", "e", 1))
    os.utime(source, ns=(1, 1))
    assert written(tmp_path / "tokens", source).digest != first.digest
    before = written(tmp_path / "tokens", source).digest
    (tmp_path / "tokens" / FACTS).unlink()  # as after a crash
    (tmp_path / "tokens" / "train.npy").write_bytes(b"half")
    assert written(tmp_path / "tokens", source).digest == before


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text(next(text for text in TEXTS if not is_held_out(text)))
    with pytest.raises(
        DataError, match=r"texts.txt has too few texts \(1\): one of twenty is held out, and there are no"
    ):
        written(tmp_path / "tokens", path)
    assert not (tmp_path / "tokens" / FACTS).exists()
