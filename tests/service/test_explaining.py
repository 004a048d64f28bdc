"""Explanations take one thread of the server's, however many clients ask and leave."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bertline.service.explaining import Explaining, _Asked
from bertline.serving.problems import Code, Problem
from bertline.testing.words import ID, WordCounter, WordFiller, serving_of


@pytest.mark.parametrize("beside", [False, True], ids=["the model", "the model that proposes words"])
def test_one_that_is_left_takes_its_turn_to_its_end_and_asks_for_nothing_more(*, beside: bool) -> None:
    may_end, entered = threading.Event(), threading.Event()
    running: list[str] = []
    refused: list[Problem] = []

    def slow(asked: _Asked) -> None:
        running.append("first")
        entered.set()
        assert may_end.wait(60)
        try:
            if beside:
                asked.beside(asked._serving.models.current("filler")).pieces(["[MASK]"], "vocabulary")
            else:
                asked.pieces(["good"], "logits")
        except Problem as problem:
            refused.append(problem)
        running.remove("first")

    def quick(asked: _Asked) -> list[str]:
        running.append("second")
        assert asked.pieces(["good"], "logits")
        return [*running]

    async def story() -> None:
        async with serving_of({"reviews": WordCounter(), "filler": WordFiller()}) as serving:
            await serving.until_ready()
            explaining, version = Explaining(serving), serving.models.current("reviews")
            deadline_s = asyncio.get_running_loop().time() + 60
            leaving = asyncio.create_task(explaining._behind(version, deadline_s, slow))
            await asyncio.to_thread(entered.wait, 60)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            following = asyncio.create_task(explaining._behind(version, deadline_s, quick))
            await asyncio.sleep(0.05)
            assert running == ["first"]
            may_end.set()
            assert await following == ["second"]

    asyncio.run(story())
    assert [one.code for one in refused] == [Code.DEADLINE]


def test_work_behind_requests_has_the_limit_on_masks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bertline.serving.serving.MOST_SCORES", 4 * len(ID))

    async def story() -> None:
        async with serving_of({"filler": WordFiller()}) as serving:
            await serving.until_ready()
            version, deadline_s = serving.models.current("filler"), asyncio.get_running_loop().time() + 60
            _, rows = await serving.look(version, ["[MASK] [MASK]"] * 2, deadline_s, "vocabulary")
            assert [len(row) for (row,) in rows] == [2, 2]
            with pytest.raises(Problem, match=r"rows would have 6 \[MASK\] to fill in and the limit of a request is 4"):
                await serving.look(version, ["[MASK] [MASK]"] * 3, deadline_s, "vocabulary", "rows")

    asyncio.run(story())
