"""What a masked language model proposes: whole words, and how probable given ones are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tokenizers

from bertline.errors import UsageError
from bertline.explanation.proposals import Proposals
from bertline.explanation.words import Word, words_of
from bertline.statistics.activation import softmax
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Input, Reading, Tokenizer
from tests.tokenizers import FAIRSEQ, bpe, unigram
from tests.unit.explanation.doubles import Filler, Letters

SCORES = {"##s": 9.0, "or": 8.0, ".": 7.0, "[UNK]": 6.5, "o": 6.0, "e": 5.0, "is": 4.0}
FAIRSEQ_ROLES = {
    "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>",
}  # fmt: skip


def proposals(text: str | tuple[str, str], filler: Filler) -> Proposals:
    return Proposals(filler, text, words_of(text, tiny_tokenizer()))


def test_whole_words_that_differ_the_most_probable_first() -> None:
    filler = Filler(SCORES)
    asked = proposals("It is OR, a", filler)
    (own, other) = asked.words_for([2, 0], 3)
    assert filler.asked == ["It is [MASK], a", "[MASK] is OR, a"]
    assert asked.asked == 2
    assert [(one.place, one.text) for one in own] == [(2, "O"), (2, "E"), (2, "IS")], "no piece, no mark, not itself"
    assert [one.text for one in other] == ["Or", "O", "E"]
    shares = softmax(filler.row("")[None], 1.0)[0]
    assert own[0].probability == pytest.approx(shares[filler.tokenizer.id_of("o")])


def test_the_probability_of_words_is_that_in_the_changed_text() -> None:
    filler = Filler(lambda text: {"o": 3.0, "e": 1.0} if "o" in text else {"o": 1.0, "e": 2.0})
    asked = proposals("a is a", filler)
    first, second = (own[1] for own in asked.words_for([0, 2], 2))
    assert (first.text, second.text) == ("o", "o")
    (both,) = asked.probabilities([(first, second)])
    assert filler.asked[-2:] == ["[MASK] is o", "o is [MASK]"]
    assert both == pytest.approx([softmax(filler.row("o")[None], 1.0)[0][first.id]] * 2)
    assert both[0] > first.probability


def test_only_the_text_of_a_pair_with_the_word_is_read() -> None:
    filler = Filler(SCORES)
    asked = proposals(("a is", "or an"), filler)
    asked.words_for([3], 1)
    assert filler.asked == ["or [MASK]"]


@pytest.mark.parametrize("text", ["a [MASK] is", ("a", "is [MASK]")])
def test_a_text_with_a_mask_of_its_own_is_refused(text: str | tuple[str, str]) -> None:
    filler = Filler(SCORES)
    message = (
        r"the text has \[MASK\], which the model for replacements would fill in: take it out of the text, or leave "
        "replacements out"
    )
    with pytest.raises(UsageError, match=message):
        proposals(text, filler)
    assert filler.asked == []


def test_a_few_texts_are_asked_about_at_a_time() -> None:
    """The scores of the vocabulary for all places would not fit in memory."""
    together: list[int] = []

    class Counted(Filler):
        def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
            together.append(len(texts))
            return super().pieces(texts, output)

    text = "a is " * 10
    asked = proposals(text, Counted({"o": 5.0, "e": 4.0}))
    found = asked.words_for(range(20), 2)
    assert (together, asked.asked) == ([8, 8, 4], 20)
    assert {tuple(one.text for one in own) for own in found} == {("o", "e")}
    together.clear()
    (shares,) = asked.probabilities([[own[0] for own in found]])
    assert (together, len(shares), asked.asked) == ([8, 8, 4], 20, 40)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_other_tokenizers_propose_whole_words_too(kind: str) -> None:
    made: tokenizers.Tokenizer = bpe() if kind == "bpe" else unigram([*FAIRSEQ])
    space = "Ġ" if kind == "bpe" else "▁"
    tokenizer = Tokenizer(made, lowercase=False, specials=FAIRSEQ_ROLES)
    filler = Filler({"m": 9.0, f"{space}film": 8.0, f"{space}good": 7.0, f"{space}a": 6.0}, tokenizer)
    text = "the film"
    words = [Word("the", 0, 0, 3), Word("film", 0, 4, 8)]
    (own,) = Proposals(filler, text, words).words_for([1], 2)
    assert filler.asked == ["the <mask>"]
    assert [one.text for one in own] == ["good", "a"], "a piece that continues a word is none"


def test_of_a_long_text_every_word_has_proposals() -> None:
    text = "is " * 100 + "a"
    (own,) = proposals(text, Filler({"o": 5.0})).words_for([100], 1)
    assert own[0].text == "o"


def test_the_same_call_gives_the_same() -> None:
    equal = Filler(dict.fromkeys(["or", "o", "e", "is"], 1.0))
    once, again = (proposals("a or", equal).words_for([0, 1], 5) for _ in range(2))
    assert once == again
    assert np.all(np.diff([one.id for one in once[0]][:4]) > 0), "of equals, the smaller id comes first"


def test_only_a_masked_language_model_proposes() -> None:
    message = "replacements come from a model that fills in words, and this one's task is classify"
    with pytest.raises(UsageError, match=message):
        Proposals(Letters(), "a", words_of("a", tiny_tokenizer()))
