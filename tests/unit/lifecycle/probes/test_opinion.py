from __future__ import annotations

from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw, Moved
from bertline.lifecycle.probes.opinion import blamed, negated, praised

DRAW = Draw(Random(0), lambda word: False)


@pytest.mark.parametrize(
    ("text", "after", "opinion"),
    [
        ("The film is wonderful.", "The film is not wonderful.", "positive"),
        ("It was a really horrible evening", "It was not a really horrible evening", "negative"),
        ("It is late, but the songs are great", "It is late, but the songs are not great", "positive"),
    ],
)
def test_an_opinion_is_negated(text: str, after: str, opinion: str) -> None:
    found = negated((text,), DRAW)
    assert found == Moved((after,), opinion, "down")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "Is it good? It is great.",
        "It isn't late, it is great",
        "It was never good",
        "It is a film",
        "A wonderful film.",
    ],
)
def test_what_asks_negates_or_has_no_opinion_stays(text: str) -> None:
    assert negated((text,), DRAW) is None


def test_praise_and_blame_are_added() -> None:
    assert praised(("It is late",), DRAW) == Moved(("It is late. I loved it.",), "positive", "up")
    assert blamed(("It is late!",), DRAW) == Moved(("It is late! I hated it.",), "negative", "up")
