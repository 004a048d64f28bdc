"""Counter-evidence by replacement: the fewest words, the most fluent first, within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bertline.explanation.changes import ChangedWord
from bertline.explanation.counter import NONE_TRIED, NONE_TURNS, counter_evidence
from bertline.explanation.settings import ExplainSettings
from bertline.explanation.words import words_of
from bertline.inference import TextClassifier, load_predictor
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.unit.explanation.doubles import Filler, Letters

WORDS = {"##s": 9.0, "a": 8.0, "o": 7.0, "e": 6.0, "us": 5.0}
USUAL = ExplainSettings()


def test_one_word_is_replaced_and_the_most_probable_comes_first() -> None:
    model, filler = Letters(), Filler(WORDS)
    found = counter_evidence(model, "It is a", USUAL, filler=filler)
    assert (found.label, found.turned, found.how, found.why) == ("positive", "negative", "replace", None)
    assert (found.before, found.texts) == (("It is a",), ("It is o",))
    (word,) = found.words
    assert (word.text, word.start, word.end, word.replacement) == ("a", 6, 7, "o")
    turns = [found.first, *found.others]
    shares = [one.words[0].probability for one in turns]
    assert shares == sorted(shares, reverse=True)
    assert [one.texts[0] for one in turns[:3]] == ["It is o", "It is e", "E is a"]
    assert found.least
    assert (found.answers, found.proposals) == (len(model.asked), len(filler.asked)) == (found.answers, 3)


def test_two_words_are_replaced_where_one_does_not_do() -> None:
    """Alone ``us`` is the more probable word, but beside another ``o`` it is ``o``."""
    model, filler = Letters(), Filler(lambda text: {"o": 9.0 if "o" in text.split() else 3.0, "us": 5.0})
    found = counter_evidence(model, "a is a", USUAL, filler=filler)
    assert (len(found.words), found.ruled_out, found.least) == (2, 1, True)
    assert {one.text for one in found.words} == {"a"}
    assert [one.texts[0] for one in (found.first, *found.others)][:2] == ["o is o", "us is us"]
    assert len(found.others) == 3
    assert len(model.asked) == len({*model.asked}), "no text is asked about twice"
    whole = [one.words[0].probability * one.words[1].probability for one in (found.first, *found.others)]
    assert whole == sorted(whole, reverse=True)


def test_more_words_one_after_another() -> None:
    found = counter_evidence(Letters(), "a a is a a", USUAL, filler=Filler({"o": 1.0}))
    assert (found.texts, len(found.words), found.ruled_out, found.least) == (("o o is o o",), 4, 1, False)


def test_words_that_are_not_needed_come_back() -> None:
    """Of ``us`` at five places only the three that count stay."""
    found = counter_evidence(Letters(), "a or a is a", USUAL, filler=Filler({"us": 1.0}))
    assert found.texts == ("us or us is us",)


@pytest.mark.parametrize(
    ("filler", "budget", "why"),
    [(Filler({"a": 1.0, "##s": 2.0}), 500, NONE_TURNS), (Filler(WORDS), 8, NONE_TRIED)],
    ids=["nothing turns", "no budget"],
)
def test_words_are_left_out_where_no_replacement_turns_it(filler: Filler, budget: int, why: str) -> None:
    model = Letters()
    found = counter_evidence(model, "a is", ExplainSettings(budget=budget), filler=filler)
    assert (found.how, found.why, found.turned, found.texts) == ("delete", why, "negative", ("is",))
    assert found.words[0].replacement is None
    assert found.answers + found.proposals <= budget


def test_a_text_of_marks_has_no_word_to_replace() -> None:
    found = counter_evidence(Letters(), ". , !", USUAL, filler=Filler(WORDS))
    assert (found.words, found.why, found.proposals) == ((), NONE_TRIED, 0)


@pytest.mark.parametrize("budget", [30, 60, 120, 500])
@pytest.mark.parametrize("words", [WORDS, {"a": 1.0, "us": -1.0}], ids=["some turn it", "few turn it"])
@pytest.mark.parametrize("text", ["a is a", "a a a a a a a is", "e is a a o a is is it", " ".join(["a"] * 20)])
def test_both_models_together_stay_within_the_budget(text: str, words: dict[str, float], budget: int) -> None:
    model, filler = Letters(), Filler(words)
    found = counter_evidence(model, text, ExplainSettings(budget=budget), filler=filler)
    assert (found.answers, found.proposals) == (len(model.asked), len(filler.asked))
    assert found.answers + found.proposals <= budget


def test_what_replacements_took_is_no_longer_there_for_leaving_words_out() -> None:
    model, filler = Letters(), Filler(dict.fromkeys(["b", "c", "d", "f", "g", "h"], 1.0))
    text = "a it a is a or a an a at a us a in a on b c d f"
    found = counter_evidence(model, text, ExplainSettings(budget=300), filler=filler)
    assert (found.how, found.why) == ("delete", NONE_TURNS)
    assert found.proposals == 20
    assert 200 < found.answers + found.proposals == len(model.asked) + len(filler.asked) <= 300


def test_either_text_of_a_pair_is_changed() -> None:
    model = Letters(Spec(labels=("negative", "positive"), reads="pair"))
    found = counter_evidence(model, ("is it", "a"), USUAL, filler=Filler({"us": 1.0}))
    assert (found.texts, found.words[0].side) == (("is it", "us"), 1)


def test_of_several_labels_one_is_lost_or_gained() -> None:
    model = Letters(Spec(problem="several", labels=("a", "e"), thresholds=(0.5, 0.4)))
    lost = counter_evidence(model, "a is", USUAL, filler=Filler(WORDS), name="a")
    assert (lost.label, lost.turned, lost.texts) == ("a", "not a", ("o is",))
    assert lost.shown == pytest.approx(0.731, abs=1e-3)
    gained = counter_evidence(model, "a is", USUAL, filler=Filler(WORDS), name="e")
    assert (gained.label, gained.turned) == ("not e", "e")
    assert "e" in gained.texts[0].split()
    assert counter_evidence(model, "e is", USUAL).label == "e", "the most probable label by default"


def test_what_it_says_of_real_networks_holds(tmp_path: Path) -> None:
    """Both models answer the changed texts as it says, it is the same again, and the rest of the text stays."""
    write_tiny_bundle(tmp_path / "b", engine=True)
    write_tiny_bundle(tmp_path / "words", engine=True, task={"task": "fill"}, pooling="none", truncation="window")
    model, filler = load_predictor(tmp_path / "b"), load_predictor(tmp_path / "words")
    replaced = 0
    for text in [one for one in random_texts(30, seed=5) if 3 <= len(one.split()) <= 8][:6]:
        found = counter_evidence(model, text, USUAL, filler=filler)
        assert counter_evidence(model, text, USUAL, filler=filler) == found
        assert found.answers + found.proposals <= USUAL.budget
        for turn in (found.first, *found.others):
            (answer,) = model.predict(turn.texts)
            assert (answer.label, answer.probabilities[answer.label]) == (turn.turned, pytest.approx(turn.shown))
            if found.how != "replace":
                continue
            replaced += 1
            assert turn.turned != found.label
            assert [one.text for one in words_of(turn.texts[0], model.tokenizer)] == _replaced(text, turn.words, model)
            for word in turn.words:
                assert _probability(filler, turn.texts[0], word, turn.words) == pytest.approx(word.probability)
    assert replaced >= 4


def _replaced(text: str, words: Sequence[ChangedWord], model: TextClassifier) -> list[str | None]:
    new = {word.start: word.replacement for word in words}
    return [new.get(one.start, one.text) for one in words_of(text, model.tokenizer)]


def _probability(filler: TextClassifier, text: str, word: ChangedWord, words: Sequence[ChangedWord]) -> float:
    """What ``fill`` says of a replacement in its place."""
    moved = sum(len(one.replacement or "") - len(one.text) for one in words if one.start < word.start)
    start, new = word.start + moved, word.replacement or ""
    hidden = f"{text[:start]}[MASK]{text[start + len(new) :]}"
    (answer,) = filler.predict([hidden], filler.spec.choosing(1000))
    (mask,) = answer.masks
    return float(next(one.probability for one in mask.candidates if one.token == new.lower()))
