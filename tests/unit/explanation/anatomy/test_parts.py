"""Words and windows by themselves, and the lexicon beside them, with the reasons where the two differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bertline.explanation.anatomy.parts import Alone, Parts, parts
from bertline.explanation.words import Word
from tests.unit.explanation.anatomy.claims import check

TEXT = "I liked the score but hated it"
LABELS = ("negative", "positive")
Score = Callable[[list[str]], float]  # from words to the log-odds of the positive label


def words_of(text: str) -> list[Word]:
    return [Word(one.group(), 0, one.start(), one.end()) for one in re.finditer(r"\w+", text)]


def model(score: Score, *, neutral: float = 0.0) -> Callable[[list[str], Sequence[str]], Any]:
    """Probabilities of a made-up model, of which the label neutral has a fixed part."""

    def shown(texts: list[str], names: Sequence[str]) -> Any:
        shares = [1 / (1 + np.exp(-score(text.split()))) for text in texts]
        each = {"positive": shares, "negative": [1 - one for one in shares]}
        return np.array([[(1 - neutral) * each[name][at] for name in names] for at in range(len(texts))])

    return shown


def seen(text: str, score: Score, label: str, window: int = 3, **more: Any) -> Parts:
    words = words_of(text)
    labels = (*LABELS, "neutral") if more else LABELS
    pieces = [(one.text[:3], f"##{one.text[3:]}") if len(one.text) > 6 else (one.text,) for one in words]
    return parts(text, words, window, label, labels, model(score, **more), pieces)


def bag(words: list[str], good: tuple[str, ...] = ("good", "liked"), bad: tuple[str, ...] = ("bad", "hated")) -> float:
    """The sum of its words, and ``not`` turns all after it."""
    total, sign = 0.0, 1
    for word in words:
        sign = -sign if word == "not" else sign
        total += 2.0 * sign * ((word in good) - (word in bad))
    return total


def pairs(found: Parts, text: str, score: Score) -> Callable[..., float]:
    """What the label has without the words at some places."""
    words = text.split()

    def share(*gone: int) -> float:
        left = " ".join(word for place, word in enumerate(words) if place not in gone)
        return float(model(score)([left], [found.label])[0, 0])

    return share


def test_each_word_and_window_is_asked_about_once() -> None:
    asked: list[str] = []

    def noting(texts: list[str], names: Sequence[str]) -> Any:
        asked.extend(texts)
        return np.full((len(texts), len(names)), 0.5)

    text = "good good good film"
    found = parts(text, words_of(text), 2, "a", ("a", "b"), noting, [("x",)] * 4)
    assert asked == ["good good good film", "good", "film", "good good", "good film"]
    assert [one.text for one in found.windows] == ["good good", "good good", "good film"]
    assert [one.start for one in found.words] == [0, 5, 10, 15]
    assert found.says.startswith("Each word, and each window")
    assert "VADER" not in found.says


def test_the_list_and_the_model_agree() -> None:
    found = seen("a good film", bag, "positive")
    assert [one.why for one in found.words] == [None] * 3
    assert [one.valence for one in found.words] == [None, 1.9, None]
    assert found.says.endswith("VADER's list of sentiment has 1 of the 3 words.")
    assert found.words[1].without == pytest.approx(0.5)
    assert check(found, LABELS) == []


def test_a_neighbour_turns_a_word() -> None:
    found = seen("it is not good", bag, "negative")
    good, other = found.words[3], found.words[2]
    assert good.why == (
        "By itself it is for positive (negative 0.119), as in the list. In the text it is the other way round: "
        "negative has 0.881 with it and 0.500 without it. That is the doing of “not”: without that, negative has 0.119 "
        "with the word and 0.500 without it."
    )
    assert good.turned_by is not None
    assert good.turned_by.to_json() == {
        "text": "not", "start": 6, "end": 9, "without": 0.119203, "without_both": 0.5
    }  # fmt: skip
    assert other.why == (
        "The list does not have it. To the model it matters: negative has 0.881 with it and 0.119 without it. It turns "
        "“good”."
    )
    assert "differ on “not”, “good”; why is said for each word." in found.says
    assert len(check(found, LABELS)) == 2


def test_the_other_words_are_enough() -> None:
    found = seen("good good good film", lambda words: min(2.0, bag(words)), "positive")
    assert found.words[0].why == (
        "By itself it is for positive (positive 0.881), as in the list. In the text it changes little: positive has "
        "0.881 with it and 0.881 without it. The other words are enough."
    )
    assert len(check(found, LABELS)) == 3


def test_a_word_far_away_turns_a_word_too() -> None:
    text = "not that it is of any use to anybody but the film is good"
    found = seen(text, lambda words: bag(words) + (0.0 if "good" in words else 1.0), "negative")
    assert "That is the doing of “not”: without that," in str(found.words[-1].why)
    assert check(found, LABELS)


def test_no_other_word_alone_turns_it() -> None:
    """Each of two words is enough to turn the third."""

    def twice(words: list[str]) -> float:
        sign = -1 if {"never", "hardly"} & {*words} else 1
        return 2.0 * sign * ("good" in words)

    found = seen("never hardly good", twice, "negative", window=2)
    good = found.words[2]
    assert good.turned_by is None
    assert str(good.why).endswith("The words beside it are enough for that: “hardly good” by itself is for negative "
                                  "(negative 0.881).")  # fmt: skip
    apart = seen("never good hardly", lambda words: 0.0 if len(words) == 2 else twice(words), "negative", window=2)
    assert str(apart.words[1].why).endswith("No other word does that alone.")
    check(apart, LABELS, pairs(apart, "never good hardly", lambda words: 0.0 if len(words) == 2 else twice(words)))


def test_of_a_long_text_the_nearest_words_are_tried() -> None:
    """Not every pair of words: then it is not said that none does."""
    text = " ".join(["it"] * 70 + ["good"])
    found = seen(
        text, lambda words: 2.0 if words == ["good"] else -1.0 - 2.0 * ("good" in words), "negative", window=60
    )
    assert found.words[-1].turned_by is None
    assert "No other word" not in str(found.words[-1].why)


def test_a_window_says_otherwise() -> None:
    """Two words together are praise, whatever one of them is; no neighbour alone explains it."""

    def idiom(words: list[str]) -> float:
        return 2.0 if {"film", "killed"} & {*words} and words != ["killed"] else -1.0 if words == ["killed"] else 0.0

    found = seen("that film killed", idiom, "positive", window=2)
    killed = found.words[2]
    assert killed.why is not None
    assert killed.why.endswith("The words beside it are enough for that: “film killed” by itself is for positive "
                               "(positive 0.881).")  # fmt: skip
    check(found, LABELS)


@pytest.mark.parametrize(
    ("score", "here"),
    [
        (lambda words: -3.0 if words == ["liked"] else bag(words), "In the text it does what the list says"),
        (lambda words: -3.0 if words == ["liked"] else 1.0, "In the text it changes little"),
        (lambda words: bag(words, bad=("liked",), good=("score", "film")), "In the text too"),
    ],
)
def test_the_model_says_otherwise_of_the_word_alone(score: Score, here: str) -> None:
    found = seen("liked the film score", score, "positive")
    why = found.words[0].why
    assert why is not None
    assert why.startswith("The list has it for positive, and the model, by itself, for negative (positive 0.")
    assert here in why
    assert check(found, LABELS)


def test_a_word_in_pieces_says_so() -> None:
    found = seen("wonderful film", lambda words: -2.0 if words == ["wonderful"] else 1.0, "positive")
    assert "The model reads it in pieces: won ##derful. In the text" in str(found.words[0].why)
    assert check(found, LABELS)


def test_a_text_of_one_word_has_nothing_without_it() -> None:
    found = seen("good", lambda words: -2.0, "negative")
    assert (
        found.words[0].why == "The list has it for positive, and the model, by itself, for negative (negative 0.881)."
    )
    assert (found.window, found.words[0].without) == (1, None)


def test_a_word_that_leans_to_neither_side_alone() -> None:
    neither = seen("a good film", lambda words: 0.0 if words == ["good"] else 1.0, "positive")
    assert neither.words[1].why == (
        "The list has it for positive, and the model, by itself, for neither (positive 0.500). In the text it changes "
        "little: positive has 0.731 with it and 0.731 without it."
    )
    assert check(neither, LABELS)
    against = seen("a good film", lambda words: -2.0 if "a" in words and "good" in words else 0.0, "negative")
    assert against.words[1].why == (
        "The list has it for positive, and the model, by itself, for neither (negative 0.500). In the text it is for "
        "negative: negative has 0.881 with it and 0.500 without it."
    )
    assert check(against, LABELS)
    as_listed = seen("a good film", lambda words: 0.0 if words == ["good"] else bag(words), "positive")
    assert as_listed.words[1].why is None


def test_with_a_third_label_the_two_sides_are_compared() -> None:
    """Of three labels none may reach a half: positive 0.40 and negative 0.06 is no leaning to the negative side."""
    found = seen("a good film", lambda words: 2.0 if "good" in words else 0.0, "positive", neutral=0.55)
    good = found.words[1]
    assert (good.shown < 0.5, good.why) == (True, None)
    assert good.against == pytest.approx(0.45 - good.shown)
    assert check(found, (*LABELS, "neutral")) == []


@pytest.mark.parametrize("seed", range(40))
def test_every_claim_holds_for_the_numbers(seed: int) -> None:
    """Of random models, in which words act alone, in pairs and all together."""
    rng = np.random.default_rng(seed)
    text = "it is not a good film but I liked the awful funny end"
    names = text.split()
    alone, beside = rng.normal(0, 1.5, len(names)), rng.normal(0, 1.5, (len(names), len(names)))

    def score(words: list[str]) -> float:
        at = [names.index(word) for word in words]
        return float(alone[at].sum() + sum(beside[one, other] for one, other in pairwise(at)))

    label = "positive" if score(names) > 0 else "negative"
    found = seen(text, score, label, window=2 + seed % 3)
    assert check(found, LABELS, pairs(found, text, score))


def test_a_false_claim_is_found() -> None:
    """The check itself can fail."""
    word = Alone("good", 0, 4, 0.2, 0.8, valence=1.9, without=0.5, why="It is so.")
    with pytest.raises(AssertionError, match="a claim that nothing checks"):
        check(Parts("positive", 0.5, (word,), (), 1, ""), LABELS)
    enough = replace(word, why="The other words are enough.")
    with pytest.raises(AssertionError):
        check(Parts("positive", 0.9, (enough,), (), 1, ""), LABELS)


def test_the_range_of_the_windows_is_true() -> None:
    found = seen(TEXT, lambda words: len(words) - 4.5, "positive")
    least, most = (choose(found.windows, key=lambda one: one.shown) for choose in (min, max))
    assert f"from {least.shown:.3f} (“{least.text}”) to {most.shown:.3f} (“{most.text}”)" in found.says
    assert f"the whole text has {found.whole:.3f}" in found.says
    assert found.windows[0].text == "I liked the"
    assert len(found.windows) == len(words_of(TEXT)) - 2


@pytest.mark.parametrize("labels", [("bad", "good"), ("positive", "neutral"), ("sports", "economy")])
def test_other_tasks_have_no_lexicon(labels: tuple[str, ...]) -> None:
    shown = lambda texts, names: np.full((len(texts), len(names)), 0.5)  # noqa: E731
    found = parts(TEXT, words_of(TEXT), 3, labels[0], labels, shown, [("x",)] * 7)
    assert {(one.valence, one.without, one.against, one.why) for one in found.words} == {(None, None, None, None)}
