"""What truncation cuts has no part in an explanation, by any policy, and the rest is read as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.explanation.explain import explain
from bertline.explanation.read import read_part, sides_of
from bertline.explanation.settings import ExplainSettings, Method
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Input, Policy, Reader, Reading, Truncation
from bertline.text.reading import Piece

TOKENIZER = tiny_tokenizer()
LONG = "at is on, in a film so, it is an arena to be in or so"


def read(one: Input, policy: Policy, tokens: int) -> Reading:
    return Reader(TOKENIZER, Truncation(tokens, policy)).read([one])[0]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("head", ["at", "is", "on", ",", "in", "a"]),
        ("tail", ["arena", "to", "be", "in", "or", "so"]),
        ("head_tail", ["at", "is", "to", "be", "in", "or", "so"]),
        ("error", ["at", "is", "to", "be", "in", "or", "so"]),
    ],
)
def test_the_words_that_are_read_are_left(policy: Policy, words: list[str]) -> None:
    tokens = {"head": 8, "tail": 13, "head_tail": 12, "error": 12}[policy]
    reading = read(LONG, policy, tokens)
    assert reading.cut
    part = read_part(LONG, reading, TOKENIZER)
    assert [word.text for word in part.words] == words
    assert [LONG[word.start : word.end] for word in part.whole] == words
    assert [str(part.one)[word.start : word.end] for word in part.words] == words
    assert read(part.one, policy, tokens).piece.ids == reading.piece.ids


def test_a_pair_is_cut_on_both_sides_and_windows_are_whole() -> None:
    pair = (LONG, "so it is, " * 8)
    reading = read(pair, "head", 15)
    part = read_part(pair, reading, TOKENIZER)
    assert {word.side for word in part.whole} == {0, 1}
    assert len(part.words) == 11
    assert read(part.one, "head", 15).piece.ids == reading.piece.ids
    assert read_part(LONG, read(LONG, "window", 8), TOKENIZER).one == LONG


def test_words_that_stand_side_by_side_stay_apart() -> None:
    reading = read("on,at,is,in", "head_tail", 6)
    part = read_part("on,at,is,in", reading, TOKENIZER)
    assert part.one == "on is,in"
    assert read(part.one, "head_tail", 6).piece.ids == reading.piece.ids


def test_where_no_policy_reads_it_so_the_input_is_whole() -> None:
    part = read_part(LONG, Reading([Piece([2, 9, 9, 9, 9, 3])], 6, cut=5, input=LONG), TOKENIZER)
    assert part.one == LONG


def test_the_side_of_each_token_is_told_without_segments() -> None:
    assert sides_of(Piece([], places=[-1, 0, 1, -1, -1, 0, 1, -1])) == [-1, 0, 0, -1, -1, 1, 1, -1]


class Spotting:
    """Positive if it reads the word "is", whatever the rest."""

    def __init__(self) -> None:
        self.spec: TaskSpec = Spec(labels=("negative", "positive"))
        self.tokenizer = TOKENIZER
        self._id = TOKENIZER.id_of("is")

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        readings = [read(one, "head_tail", 12) for one in texts]
        return readings, [[np.array([0.0, 3.0 if self._id in one.piece.ids else -3.0])] for one in readings]


@pytest.mark.parametrize("method", ["linear", "shapley", "partition", "leave-one-out"])
def test_a_word_that_was_cut_has_no_share(method: Method) -> None:
    text = "a film so on, it is in an arena to be in or so"
    found = explain(Spotting(), text, ExplainSettings(method=method, budget=300), "positive")
    assert found.cut_tokens
    assert "is" not in [part.word.text for part in found.words]
    assert [part.share for part in found.words] == pytest.approx([0.0] * len(found.words))
    assert found.value == found.base == -3.0
