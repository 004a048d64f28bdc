from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.labelling import (
    LENT_MS,
    SKIPPED_MS,
    Person,
    candidates,
    hand_out,
    skip,
)
from bertline.lifecycle.predictions.review import Candidate
from bertline.lifecycle.predictions.store import open_store
from tests.kept import keep, sure

ANA, BO = Person("ana", "page 1"), Person("bo", "page 2")
NOW = 1_800_000_000_000


def filled(store: Database, texts: int = 12) -> list[Candidate]:
    """Texts of which the first are the least sure."""
    keep(
        store,
        [sure("good", 0.51 + place * 0.4 / texts) for place in range(texts)],
        texts=[f"text {place}" for place in range(texts)],
    )
    return candidates(store, "reviews")


def names(some: Sequence[Candidate]) -> list[str]:
    return [one.request_id for one in some]


def test_nobody_gets_a_text_that_another_one_has(store: Database) -> None:
    queue = filled(store)
    assert names(queue) == [f"r{place}" for place in range(12)]
    first = hand_out(store, "reviews", queue, ANA, 3, at_ms=NOW)
    assert names(first) == ["r0", "r1", "r2"]
    assert names(hand_out(store, "reviews", queue, BO, 3, at_ms=NOW)) == ["r3", "r4", "r5"]
    other_page = Person("ana", "page 3")
    assert names(hand_out(store, "reviews", queue, other_page, 2, at_ms=NOW)) == ["r6", "r7"]
    assert names(hand_out(store, "reviews", queue, ANA, 3, at_ms=NOW)) == ["r0", "r1", "r2"], "a page loaded again"
    holding = [one.text_hash for one in first]
    assert names(hand_out(store, "reviews", queue, ANA, 2, holding=holding * 2, at_ms=NOW)) == ["r8", "r9"]


def test_a_text_comes_back_when_its_time_is_over(store: Database) -> None:
    queue = filled(store)
    lent = hand_out(store, "reviews", queue, ANA, 2, at_ms=NOW)
    assert names(hand_out(store, "reviews", queue, BO, 1, at_ms=NOW + LENT_MS)) == ["r2"]
    hand_out(store, "reviews", queue, ANA, 0, holding=[lent[1].text_hash], at_ms=NOW + LENT_MS)
    late = hand_out(store, "reviews", queue, BO, 2, at_ms=NOW + LENT_MS + 1)
    assert names(late) == ["r0", "r2"], "the text that ana still holds is hers"


def test_a_labelled_text_is_done_and_a_skipped_one_is_for_others(store: Database) -> None:
    queue = filled(store)
    mine = hand_out(store, "reviews", queue, ANA, 2, at_ms=NOW)
    receive(store, [Feedback("r0", "bad", annotator="ana")])
    skip(store, "reviews", mine[1].text_hash, ANA, at_ms=NOW)
    assert names(hand_out(store, "reviews", queue, ANA, 1, at_ms=NOW)) == ["r2"]
    assert names(hand_out(store, "reviews", queue, BO, 1, at_ms=NOW)) == ["r1"]
    receive(store, [Feedback(f"r{place}", "bad", annotator="bo") for place in range(2, 12)])
    later = hand_out(store, "reviews", queue, ANA, 9, at_ms=NOW + SKIPPED_MS + 1)
    assert names(later) == ["r1"]


def test_some_labelled_texts_are_for_a_second_person(store: Database) -> None:
    queue = filled(store, 120)
    receive(store, [Feedback(one.request_id, "good", annotator="ana") for one in queue])
    again = candidates(store, "reviews")
    second = [one for one in again if one.why == "second opinion"]
    assert 2 < len(second) < 40
    assert hand_out(store, "reviews", second, ANA, 100, at_ms=NOW) == []
    assert hand_out(store, "reviews", second, BO, 100, at_ms=NOW) == second
    receive(store, [Feedback(one.request_id, "bad", annotator="bo") for one in second])
    assert hand_out(store, "reviews", candidates(store, "reviews"), Person("cy"), 100, at_ms=NOW) == []


def test_equal_texts_are_one_and_texts_that_were_not_kept_are_none(store: Database) -> None:
    keep(store, [sure("good", 0.6), sure("good", 0.7)], texts=["same", "same"])
    keep(store, [sure("good", 0.5)], request="other")
    assert names(candidates(store, "reviews")) == ["r0"]
    receive(store, [Feedback("r1", "good", annotator="ana")])
    assert hand_out(store, "reviews", candidates(store, "reviews"), ANA, 5, at_ms=NOW) == []


@pytest.mark.parametrize("people", [4])
def test_several_people_at_once_share_the_queue(store: Database, people: int) -> None:
    """Each with connections of their own, as servers have: every text goes to exactly one."""
    queue = filled(store, 40)
    found: dict[int, list[str]] = {}

    def label(number: int) -> None:
        with open_store(store.url.render_as_string(hide_password=False)) as own:
            person = Person(f"person {number}")
            while some := hand_out(own, "reviews", queue, person, 3):
                found.setdefault(number, []).extend(names(some))
                receive(own, [Feedback(one.request_id, "good", annotator=person.annotator) for one in some])

    threads = [threading.Thread(target=label, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = sorted(name for some in found.values() for name in some)
    assert every == sorted(names(queue))
