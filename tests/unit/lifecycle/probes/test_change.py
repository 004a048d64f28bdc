from __future__ import annotations

from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw, Moved, Probe, Texts, each, like, opinions
from bertline.tasks.classify.spec import Spec
from bertline.tasks.rank.spec import Spec as Ranks

DRAW = Draw(Random(0), lambda word: False)
LOUDER = each(lambda text, draw: text.upper())
OPINION = Spec(labels=("negative", "positive"))
TOPIC = Spec(labels=("money", "sport"))
PAIRS = Spec(labels=("no", "yes"), reads="pair")
NUMBER = Spec(problem="number", labels=("stars",))


def test_a_query_stays_unless_both_are_changed_together() -> None:
    probe = Probe("louder", "writing", "", LOUDER)
    assert probe.changed(("who", "he"), Ranks(), DRAW) == ("who", "HE")
    assert Probe("louder", "writing", "", LOUDER, whole=True).changed(("who", "he"), Ranks(), DRAW) == ("WHO", "HE")
    assert probe.changed(("who", "he"), PAIRS, DRAW) == ("WHO", "HE")


def test_what_cannot_be_changed_is_none() -> None:
    assert each(lambda text, draw: None)(("a", "b"), DRAW) is None
    assert each(lambda text, draw: text)(("a",), DRAW) is None
    assert each(lambda text, draw: "c" if text == "b" else None)(("a", "b"), DRAW) == ("a", "c")


def test_a_probe_fits_models_that_it_says_something_about() -> None:
    def moved(texts: Texts, draw: Draw) -> Moved:
        return Moved(texts, "positive", "up")

    direction = Probe("praise", "opinion", "", moved, "direction")
    assert [direction.fits(one) for one in (OPINION, TOPIC, PAIRS, NUMBER, Ranks())] == [True, *[False] * 4]
    added = Probe("address", "additions", "", LOUDER, pairs=False)
    assert [added.fits(one) for one in (OPINION, TOPIC, PAIRS, NUMBER, Ranks())] == [True, True, False, True, True]
    numbers = Probe("numbers", "names and numbers", "", LOUDER, numbers=False)
    assert [numbers.fits(one) for one in (OPINION, NUMBER)] == [True, False]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (OPINION, {"positive": "positive", "negative": "negative"}),
        (Spec(labels=("Neg", "neutral", "Pos")), {"positive": "Pos", "negative": "Neg"}),
        (TOPIC, {}),
        (Spec(labels=("positive", "unclear")), {}),
        (Spec(problem="several", labels=("negative", "positive"), thresholds=(0.5, 0.5)), {}),
        (NUMBER, {}),
    ],
)
def test_labels_of_praise_and_blame(spec: Spec, found: dict[str, str]) -> None:
    assert opinions(spec) == found


def test_a_word_keeps_its_case() -> None:
    assert [like(one, "grey") for one in ("gray", "Gray", "GRAY", "I")] == ["grey", "Grey", "GREY", "Grey"]
