from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw
from bertline.lifecycle.probes.dialects import aint, negative_concord, stative_progressive

DRAW = Draw(Random(0), lambda word: False)


@pytest.mark.parametrize(
    ("change", "text", "after"),
    [
        (aint, "It isn't good.", "It ain't good."),
        (aint, "They have not come", "They ain't come"),
        (aint, "I’m not sure and I am not glad", "I ain't sure and I ain't glad"),
        (aint, "Isn't it good?", None),
        (aint, "It doesn't work", None),
        (negative_concord, "I didn't like anything.", "I didn't like nothing."),
        (negative_concord, "She doesn't ever have any fun", "She doesn't never have any fun"),
        (negative_concord, "He can't see anyone there", "He can't see no one there"),
        (negative_concord, "Don't you like anything?", None),
        (negative_concord, "I like anything.", None),
        (negative_concord, "It isn't there any more", None),
        (negative_concord, "It isn't good, is there any other?", None),
        (stative_progressive, "I love it and they want more", "I am loving it and they are wanting more"),
        (stative_progressive, "Would I like it?", None),
        (stative_progressive, "I have seen it", None),
        (stative_progressive, "You know, it is fine", None),
    ],
)
def test_a_rule(change: Callable[[str, Draw], str | None], text: str, after: str | None) -> None:
    assert change(text, DRAW) == after
