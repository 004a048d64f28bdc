from __future__ import annotations

import pytest

from bertline.errors import UsageError
from bertline.registry.rollout import Rollout, Tally, parsed_steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("1,5,25,50,100", ("1", "5", "25", "50", "100")),
        ("shadow,10 %,50%", ("shadow", "10", "50", "100")),
        ("0.5", ("0.5", "100")),
        ("shadow", ("shadow", "100")),
    ],
)
def test_steps_end_with_all_requests(text: str, steps: tuple[str, ...]) -> None:
    assert parsed_steps(text) == steps


@pytest.mark.parametrize("text", ["", "5,1", "0,5", "5,5", "101", "many", "5,shadow"])
def test_steps_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="are no steps: give rising shares in percent"):
        parsed_steps(text)


def test_a_step_says_who_answers() -> None:
    rollout = Rollout(1, "films", 1, "a", 2, "b" * 64, ("shadow", "5", "100"))
    steps = [Rollout(1, "films", 1, "a", 2, "b" * 64, rollout.steps, place) for place in range(3)]
    assert [(one.role, one.share, one.step) for one in steps] == [
        ("shadow", 0.0, "shadow"),
        ("canary", 0.05, "5\u202f%"),
        ("watch", 1.0, "100\u202f%, watched"),
    ]
    assert (rollout.name, Rollout(1, "films", None, None, None, "b" * 64, ("5",)).name) == ("films:2", "b" * 12)


def test_tallies_add_up_field_by_field() -> None:
    both = Tally(champion_requests=1, shift=0.5) + Tally(champion_requests=2, dropped=3)
    assert both == Tally(champion_requests=3, dropped=3, shift=0.5)
