"""A queue has an end, and nobody is made to wait for what comes too late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.problems import STATUS
from bertline.serving.problems import Code, Problem
from bertline.serving.scheduler import Computed
from bertline.testing.words import Gated, serving_of
from tests.service.conftest import until_ready
from tests.service.machine import PACE, Machine, right
from tests.service.virtual_time import run


def refused(task: asyncio.Task[Computed]) -> Problem:
    error = task.exception()
    assert isinstance(error, Problem)
    return error


async def fill(machine: Machine, seconds: float) -> list[asyncio.Task[Computed]]:
    """Single texts that take the machine so long: one is computed, the others wait."""
    asked = [machine.ask([1] * 100) for _ in range(1 + round(seconds * PACE / 100))]
    await asyncio.sleep(0)
    return asked


SINGLE, BATCH = [[1] * 100], [[1] * 100] * 5


@pytest.mark.parametrize("texts", [SINGLE, BATCH])
def test_the_queue_has_an_end(texts: Sequence[Sequence[int]]) -> None:
    """The same for one text and for many: it is the wait of the first that decides."""

    async def story() -> None:
        machine = Machine(max_wait_s=2.0, batch_tokens=100)
        waiting = [*await fill(machine, 2.0), machine.ask(*texts)]
        await asyncio.sleep(0)
        beyond = machine.ask(*texts)
        await asyncio.sleep(0)
        problem = refused(beyond)
        assert (problem.code, STATUS[problem.code]) == (Code.OVERLOADED, 429)
        *_, found = await asyncio.gather(*waiting)
        assert right(found, *texts)
        assert found.queue_s >= 2

    run(story())


@pytest.mark.parametrize(("waits_s", "again_s"), [(2.1, 2), (4.0, 3), (7.5, 7)])
def test_when_to_ask_again_is_computed(waits_s: float, again_s: int) -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=10.0)
        waiting = await fill(machine, waits_s)
        machine.scheduler._max_wait_s = 2.0  # as they had come when there was more time
        beyond = machine.ask(*SINGLE)
        await asyncio.sleep(0)
        problem = refused(beyond)
        assert problem.headers == {"Retry-After": str(again_s)}
        assert problem.message == (
            f"The texts that go before these already take about {waits_s} s: try again in {again_s} s."
        )
        await asyncio.sleep(again_s)
        assert right(await machine.ask(*SINGLE), *SINGLE)
        await asyncio.gather(*waiting)

    run(story())


def test_retry_after_is_at_least_a_second() -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=0.2)
        waiting = await fill(machine, 0.2)
        beyond = [machine.ask(*SINGLE) for _ in range(2)]
        await asyncio.sleep(0)
        assert refused(beyond[1]).headers == {"Retry-After": "1"}
        await asyncio.gather(*waiting, beyond[0])

    run(story())


@pytest.mark.parametrize("giant_s", [6.0, 20.0, 60.0])
def test_a_small_request_behind_a_giant_one_is_answered_soon(giant_s: float) -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=2.0, batch_tokens=512)
        giant = machine.ask(*([[1] * 100] * round(giant_s * PACE / 100)))
        for _ in range(8):
            await asyncio.sleep(0.1)
            began_s = asyncio.get_running_loop().time()
            assert right(await machine.ask([1] * 10), [1] * 10)
            assert asyncio.get_running_loop().time() - began_s < 0.6  # the batch that is computed, and its own
        assert not giant.done()
        await giant

    run(story())


def test_a_second_giant_gets_retry_after_the_first() -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=2.0, batch_tokens=100)
        texts = [[1] * 100] * 201  # one is computed at once
        giant, second = machine.ask(*texts), machine.ask(*texts)
        await asyncio.sleep(0)
        assert refused(second).headers == {"Retry-After": "13"}  # of 20 s it may wait 8, and half of 2 more
        await asyncio.sleep(13)
        third = machine.ask(*texts)
        assert right(await giant, *texts)
        assert right(await third, *texts)

    run(story())


def test_giants_do_not_fill_the_queue_for_ever() -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=2.0)
        found = await asyncio.wait_for(
            asyncio.gather(
                *(machine.ask(*([[1] * 100] * 100), timeout_s=30.0) for _ in range(40)), return_exceptions=True
            ),
            timeout=1000,
        )
        answered = [one for one in found if isinstance(one, Computed)]
        assert 1 <= len(answered) <= 3  # of ten seconds each, within thirty
        assert {one.code for one in found if isinstance(one, Problem)} <= {Code.OVERLOADED, Code.DEADLINE}
        assert asyncio.get_running_loop().time() <= 31

    run(story())


def test_a_request_that_would_be_late_is_refused_at_once() -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=100.0)
        waiting = await fill(machine, 5.0)
        late = machine.ask([1] * 100, timeout_s=4.0)
        large = machine.ask(*([[1] * 100] * 20), timeout_s=1.5)
        in_time = machine.ask([1] * 100, timeout_s=6.0)
        await asyncio.sleep(0)
        for one in (late, large):
            problem = refused(one)
            assert (problem.code, STATUS[problem.code]) == (Code.DEADLINE, 504)
            assert problem.message.startswith("It would take about ")
        assert right(await in_time, [1] * 100)
        await asyncio.gather(*waiting)

    run(story())


def test_a_text_whose_deadline_passes_in_the_queue_is_not_computed_and_gets_504() -> None:
    async def story() -> None:
        machine = Machine(max_wait_s=100.0)
        machine.line.tokens_per_s = 100 * PACE  # it is slower than it was
        waiting = await fill(machine, 5.0)
        late = machine.ask([7] * 100, timeout_s=1.0)
        await asyncio.gather(late, return_exceptions=True)
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)
        assert refused(late).code == Code.DEADLINE
        await asyncio.gather(*waiting)
        await asyncio.sleep(100)
        assert [7] * 100 not in [text for batch in machine.process.batches for text in batch]

    run(story())


def test_a_deadline_passes_with_no_process_and_during_a_computation() -> None:
    async def story() -> None:
        machine = Machine()
        computing = machine.ask([1] * 2000, timeout_s=10.0)
        machine.line.tokens_per_s = 100 * PACE
        short = machine.ask([1] * 2000, timeout_s=0.5)
        await asyncio.gather(short, return_exceptions=True)
        assert asyncio.get_running_loop().time() == pytest.approx(0.5)
        await computing
        machine.process.end()
        waiting = machine.ask([1], timeout_s=0.1)
        began_s = asyncio.get_running_loop().time()
        await asyncio.gather(waiting, return_exceptions=True)
        assert asyncio.get_running_loop().time() == pytest.approx(began_s + 0.1)
        assert {refused(one).code for one in (short, waiting)} == {Code.DEADLINE}

    run(story())


def test_over_http_the_refusal_has_a_status_and_says_when_to_ask_again() -> None:
    model = Gated(max_tokens=64)
    model.gate.set()
    settings = ServeSettings(max_wait_ms=50, lanes=1)
    text = {"text": "word " * 60}
    with TestClient(create_app(serving := serving_of({"slow": model}, settings))) as client:
        until_ready(client)
        line = serving.models.named("slow").line("logits")
        line.tokens_per_s = 1000.0
        model.gate.clear()
        model.entered.clear()
        with ThreadPoolExecutor(3) as many:
            waiting = [many.submit(client.post, "/v1/predict", json=text)]
            assert model.entered.wait(timeout=30)
            waiting.append(many.submit(client.post, "/v1/predict", json=text))
            while not line.queue.texts:
                assert client.get("/livez").status_code == 200
            refused = client.post("/v1/predict", json=text)
            late = client.post("/v1/predict", json={"text": "good"}, headers={"X-Request-Timeout-Ms": "20"})
            model.gate.set()
            assert [one.result(timeout=30).status_code for one in waiting] == [200, 200]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline")
