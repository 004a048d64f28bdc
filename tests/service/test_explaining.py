"""Explanations take one thread of the server's, however many clients ask and leave."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bertline.service.explaining import Explaining, _Asked
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of


def test_one_that_is_left_takes_its_turn_to_its_end_and_asks_for_nothing_more() -> None:
    may_end, entered = threading.Event(), threading.Event()
    running: list[str] = []
    refused: list[Problem] = []

    def slow(asked: _Asked) -> None:
        running.append("first")
        entered.set()
        assert may_end.wait(60)
        try:
            asked.pieces(["good"], "logits")
        except Problem as problem:
            refused.append(problem)
        running.remove("first")

    def quick(asked: _Asked) -> list[str]:
        running.append("second")
        assert asked.pieces(["good"], "logits")
        return [*running]

    async def story() -> None:
        async with serving_of({"reviews": WordCounter()}) as serving:
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
