"""Words for each [MASK]: once where windows overlap, with what truncation lost and what a target became."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.tasks.fill.answer import answers
from bertline.tasks.fill.pipeline import entries
from bertline.tasks.fill.spec import Spec
from bertline.testing.tiny import VOCABULARY, tiny_tokenizer
from bertline.text import Policy, Reader, Reading, Truncation

ID = {token: place for place, token in enumerate(VOCABULARY)}
SPEC = Spec().with_tokenizer(tiny_tokenizer())


def read(text: str, max_tokens: int = 32, policy: Policy = "window") -> Reading:
    [reading] = Reader(tiny_tokenizer(), Truncation(max_tokens, policy), offsets=True).read([text])
    return reading


def scores(reading: Reading, words: Sequence[Sequence[str]]) -> list[np.ndarray[Any, Any]]:
    """For each [MASK] of each piece, the words in their order."""
    each = iter(words)
    rows = [np.full((len(piece.masked), len(VOCABULARY)), -9.0, dtype=np.float32) for piece in reading.pieces]
    for row in (row for piece in rows for row in piece):
        for place, word in enumerate(next(each)):
            row[ID[word]] = 3 - place
    assert next(each, None) is None
    return rows


def test_words_are_ordered_and_filled_into_the_raw_text() -> None:
    reading = read("It IS [MASK], at  [MASK]!")
    [answer] = answers(SPEC.choosing(2), [scores(reading, [["on", "or"], ["us", "an"]])], [reading])
    assert answer.filled == "It IS on, at  us!"
    assert [[one.token for one in mask.candidates] for mask in answer.masks] == [["on", "or"], ["us", "an"]]
    assert [(mask.start, mask.end) for mask in answer.masks] == [(6, 12), (18, 24)]
    first, second = answer.masks[0].candidates
    assert first.probability == pytest.approx(np.e * second.probability)
    assert answer.cut_masks == 0


def test_a_further_piece_continues_the_word_before_it() -> None:
    reading = read("an [MASK] at")
    [answer] = answers(SPEC, [scores(reading, [["##s"]])], [reading])
    assert answer.filled == "ans at"
    assert answer.masks[0].candidates[0].token == "##s"


def test_the_smaller_id_decides_between_equal_scores() -> None:
    reading = read("[MASK]")
    [answer] = answers(SPEC.choosing(3), [[np.zeros((1, len(VOCABULARY)), dtype=np.float32)]], [reading])
    assert [one.id for one in answer.masks[0].candidates] == [0, 1, 2]


def test_a_mask_in_two_windows_counts_where_it_has_more_context() -> None:
    text = "a b c d e f [MASK] h i j k"
    reading = read(text, max_tokens=10)
    assert [list(piece.masked) for piece in reading.pieces] == [[7], [4]]
    rows = scores(reading, [["on"], ["us"]])
    [answer] = answers(SPEC, [rows], [reading])
    assert [mask.candidates[0].token for mask in answer.masks] == ["us"]
    assert text[answer.masks[0].start : answer.masks[0].end] == "[MASK]"
    [entry, *_] = entries(SPEC, reading, rows)
    assert isinstance(entry, dict)
    assert entry["sequence"] == "d e f us h i j k"


def test_masks_that_truncation_leaves_out_are_counted() -> None:
    reading = read("a [MASK] b c d e f g h [MASK]", max_tokens=6, policy="head")
    [answer] = answers(SPEC, [scores(reading, [["on"]])], [reading])
    assert (len(answer.masks), answer.cut_masks, answer.cut_tokens) == (1, 1, 6)
    assert answer.filled == "a on b c d e f g h [MASK]"
    assert SPEC.fault(reading) is None


def test_what_is_wrong_with_a_text() -> None:
    assert SPEC.fault(read("a b")) == "has no [MASK]: write [MASK] where a word is to be filled in"
    cut = SPEC.fault(read("a b c d e f [MASK]", max_tokens=6, policy="head"))
    assert cut == "has [MASK] only among the 3 tokens that truncation leaves out: shorten it, or read it in windows"


def test_targets_that_are_not_in_the_vocabulary_are_named() -> None:
    reading = read("[MASK]")
    rows = scores(reading, [["f", "is", "on"]])
    [answer] = answers(SPEC.choosing(targets=["filmy", "fine", "is", "IS"]), [rows], [reading])
    words = answer.masks[0].candidates
    assert [(one.token, one.targets) for one in words] == [("f", ("filmy", "fine")), ("is", ("is", "IS"))]
    assert words[0].to_json()["targets"] == ["filmy", "fine"]
    [only] = answers(SPEC.choosing(targets=["is"]), [rows], [reading])[0].masks[0].candidates
    assert "targets" not in only.to_json()
    assert only.probability == words[1].probability < words[0].probability


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"top_k": 0}, "top_k is 0: give a number from 1 to 1,000"),
        ({"top_k": 1001}, "top_k is 1,001: give a number from 1 to 1,000"),
        ({"targets": []}, "targets is empty: give at least one word, or leave it out"),
        ({"targets": ["a", " "]}, "targets[1] has no token of the vocabulary: leave it out"),
    ],
)
def test_choices_that_are_refused(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        SPEC.choosing(**choice)
    assert str(caught.value) == message


def test_columns_have_the_same_names_for_every_answer() -> None:
    readings = [read("a [MASK]"), read("a")]
    each = answers(SPEC, [scores(readings[0], [["on"]]), scores(readings[1], [])], readings)
    assert [[*one.columns()] for one in each] == [["filled", "predicted_masks", "cut_masks"]] * 2
    assert each[1].to_json()["masks"] == []
