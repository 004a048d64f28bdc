"""Vocabularies that are trained: which pieces, in which order, and how they cover texts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bertline.errors import UsageError
from bertline.text.vocabulary import SPECIAL_TOKENS, Coverage, Words, coverage, tokenizer_of, train_vocabulary

LINES = [
    "the widest river is wider than the wide street",
    "low lower lowest, new newer newest!",
    "a widening river widens",
] * 5


def words_of(texts: list[str], *, lowercase: bool = True) -> Words:
    words = Words(lowercase=lowercase)
    for text in texts:
        words.add(text)
    return words


def test_words_are_split_and_normalised_as_bert_does() -> None:
    assert words_of(["Don't STOP, Café\t中文!"]).counts == Counter(["don", "'", "t", "stop", ",", "cafe", *"中文", "!"])
    assert words_of(["Don't Café"], lowercase=False).counts == Counter(["Don", "'", "t", "Café"])


def test_words_that_bert_never_splits_are_not_counted() -> None:
    assert words_of(["a" * 100, "b" * 101]).counts == Counter(["a" * 100])


def test_special_tokens_and_characters_come_first() -> None:
    vocabulary = train_vocabulary(words_of(LINES), 80)
    first = sorted(set("".join(LINES)) - {" "})
    assert vocabulary[: 5 + len(first)] == [*SPECIAL_TOKENS, *first]
    assert len(vocabulary) == len(set(vocabulary)) <= 80
    assert {"wide", "river", "##er", "the"} <= set(vocabulary)
    assert "##!" not in vocabulary  # no word has it inside


def test_equal_texts_give_equal_vocabularies_in_any_order() -> None:
    assert train_vocabulary(words_of(LINES), 80) == train_vocabulary(words_of(LINES[::-1]), 80)


def test_pieces_below_the_minimum_frequency_are_left_out() -> None:
    words = words_of(["rare", *["often"] * 3])
    assert "often" in train_vocabulary(words, 100, min_count=3)
    assert "rare" not in train_vocabulary(words, 100, min_count=3)
    assert "rare" in train_vocabulary(words, 100, min_count=1)


def test_words_with_dropped_characters_are_unknown() -> None:
    texts = ["aab aab aab", "xyz"]
    tokenizer = tokenizer_of(train_vocabulary(words_of(texts), 100, characters=2), lowercase=True)
    assert [span.token for span in tokenizer.spans("aab xyz")] == ["aab", "[UNK]"]
    assert coverage(tokenizer, texts) == Coverage(texts=2, words=4, pieces=4, unknown=1)


def test_a_size_without_room_for_the_characters_is_refused_with_the_least() -> None:
    words = words_of(LINES)
    with pytest.raises(UsageError, match=r"--size 20 has no room for .* characters of the texts") as refused:
        train_vocabulary(words, 20)
    least = int(str(refused.value).split("at least ")[1].split(",")[0])
    assert len(train_vocabulary(words, least)) == least
    with pytest.raises(UsageError):
        train_vocabulary(words, least - 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=8))
def test_texts_are_covered_by_their_own_vocabulary(texts: list[str]) -> None:
    words = words_of(texts)
    tokenizer = tokenizer_of(train_vocabulary(words, 5000, min_count=1, characters=5000), lowercase=True)
    covered = coverage(tokenizer, texts)
    assert covered.unknown == 0
    assert covered.words == sum(words.counts.values())
    assert covered.pieces == covered.words  # every word became a token


def test_figures_of_no_words_are_zero() -> None:
    nothing = coverage(tokenizer_of(train_vocabulary(words_of(LINES), 80), lowercase=True), ["", " "])
    assert nothing.to_json() == {
        "texts": 2, "words": 0, "pieces": 0, "unknown": 0, "pieces_per_word": 0.0, "unknown_share": 0.0
    }  # fmt: skip


@pytest.mark.parametrize("lowercase", [True, False])
def test_transformers_reads_the_same_tokenizer(tmp_path: Path, lowercase: bool) -> None:
    texts = [*LINES, "Ünïque WORDS in Café"]
    tokenizer = tokenizer_of(train_vocabulary(words_of(texts, lowercase=lowercase), 100), lowercase=lowercase)
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in texts:
        assert theirs(text, add_special_tokens=False)["input_ids"] == tokenizer.encode_whole([text])[0].ids
