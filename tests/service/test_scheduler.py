"""Who computes what next, and that the misfortune of one request is not that of its neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.service.problems import STATUS
from bertline.serving.problems import Code, Problem
from bertline.serving.scheduler import BUDGET_BACK_S, FIRST_TOKENS_PER_S, Computed, Line, TextProblem
from tests.service.machine import KILLER, PACE, POISON, RESTART_S, RIDDLE, Machine, right
from tests.service.virtual_time import run

Outcome = Computed | BaseException


async def outcomes(*asked: asyncio.Task[Computed]) -> list[Outcome]:
    return list(await asyncio.gather(*asked, return_exceptions=True))


def texts_of(number: int, length: int = 4) -> list[list[int]]:
    return [[place + 1] * length for place in range(number)]


def codes(found: Sequence[Outcome]) -> list[Code | None]:
    return [one.code if isinstance(one, Problem) else None for one in found]


def test_an_idle_machine_starts_at_once_and_says_that_the_batch_is_alone() -> None:
    async def story() -> None:
        machine = Machine(lanes=2)
        found = await machine.ask([1, 2, 3])
        assert right(found, [1, 2, 3])
        assert found.queue_s == 0
        assert found.compute_s == pytest.approx(3 / PACE)
        assert machine.process.alone == [True]
        await outcomes(machine.ask(*texts_of(40)))
        assert machine.process.alone[1:] == [False, False, False]

    run(story())


def test_texts_that_arrive_during_a_batch_form_the_next_one() -> None:
    async def story() -> None:
        machine = Machine()
        texts = texts_of(9)
        found = await outcomes(*(machine.ask(text) for text in texts))
        assert all(isinstance(one, Computed) and right(one, text) for one, text in zip(found, texts, strict=True))
        assert machine.process.batches == [texts[:1], texts[1:]]

    run(story())


def test_a_lane_is_never_free_while_a_text_waits() -> None:
    async def story() -> float:
        machine = Machine(lanes=2, batch_tokens=16)
        await outcomes(*(machine.ask(text) for text in texts_of(40)))
        return asyncio.get_running_loop().time()

    assert run(story()) == pytest.approx(40 * 4 / PACE / 2, rel=0.1)


def test_states_of_tokens_are_cut_to_the_text_that_they_are_of() -> None:
    async def story() -> None:
        machine = Machine()
        line = Line(("model0", "1"), "states", machine.line.station, 64, 0)
        machine.scheduler.add(line)
        found = await machine.ask([7], [5, 6, 7, 8], [9, 9, 9, 9], line=line)
        assert [row.tolist() for row in found.rows] == [[[7, 7]], [[5, 5], [6, 6], [7, 7], [8, 8]], [[9, 9]] * 4]

    run(story())


def test_a_batchs_record_describes_it() -> None:
    async def story() -> None:
        machine = Machine()
        await outcomes(machine.ask([1] * 8), machine.ask([1] * 8), machine.ask([1] * 7))
        record = machine.records[1]
        assert record.line is machine.line
        assert (record.texts, record.tokens, record.padded_tokens) == (2, 15, 16)
        assert record.queue_s == pytest.approx((0.008, 0.008))
        assert record.compute_s == pytest.approx(0.016)

    run(story())


def test_the_pace_is_learned_from_batches() -> None:
    async def story() -> None:
        machine = Machine()
        machine.line.tokens_per_s = FIRST_TOKENS_PER_S
        for _ in range(60):
            await machine.ask([1] * 8)
        assert machine.line.tokens_per_s == pytest.approx(PACE, rel=0.02)

    run(story())


# ------------------------------------------------------------------------------------------- texts that fail


@pytest.mark.parametrize("place", range(16))
def test_of_a_batch_only_the_sender_of_the_text_at_fault_gets_an_error(place: int) -> None:
    async def story() -> None:
        machine = Machine()
        texts = texts_of(16)
        texts[place] = [POISON] * 4
        first = machine.ask([1] * 4)  # while it is computed the others gather
        asked = [machine.ask(text) for text in texts]
        assert right(await first, [1] * 4)
        found = await outcomes(*asked)
        assert codes(found) == [Code.COMPUTE_FAILED if other == place else None for other in range(16)]
        good = [(one, text) for one, text in zip(found, texts, strict=True) if isinstance(one, Computed)]
        assert all(right(one, text) for one, text in good)
        with_it = [batch for batch in machine.process.batches if [POISON] * 4 in batch]
        assert [len(batch) for batch in with_it] == [16, 8, 4, 2, 1]
        assert len(machine.process.batches) == 1 + 1 + 2 * 4

    run(story())


def test_the_error_names_the_texts_place_and_quotes_nothing() -> None:
    async def story() -> None:
        machine = Machine()
        (found,) = await outcomes(machine.ask([5] * 4, [POISON] * 4, [6] * 4))
        assert isinstance(found, TextProblem)
        assert (found.place, found.field) == (1, "texts[1]")
        assert found.message == "The model cannot compute text 1: the network fails at it."
        assert found.named("inputs[1]").message == "The model cannot compute inputs[1]: the network fails at it."

    run(story())


def test_a_mistake_of_ours_ends_the_requests_of_its_batch_and_nothing_else() -> None:
    async def story() -> None:
        machine = Machine()
        (found,) = await outcomes(machine.ask([RIDDLE]))
        assert isinstance(found, KeyError)
        assert right(await machine.ask([5]), [5])

    run(story())


def test_a_batch_too_large_for_the_memory_is_halved_and_so_are_the_next_ones_for_a_while() -> None:
    async def story() -> None:
        machine = Machine(batch_tokens=64)
        machine.process.memory_tokens = 20
        texts = texts_of(17)
        found = await outcomes(*(machine.ask(text) for text in texts))
        assert all(isinstance(one, Computed) and right(one, text) for one, text in zip(found, texts, strict=True))
        assert [len(batch) for batch in machine.process.batches] == [1, 16, 8, 8, 4, 4, 4, 4]
        assert machine.line.budget_tokens == 16

        machine.process.memory_tokens = 10**6
        before = len(machine.process.batches)
        await outcomes(machine.ask(*texts_of(8)))
        assert [len(batch) for batch in machine.process.batches[before:]] == [4, 4]
        for budget in (32, 64, 64):
            await asyncio.sleep(BUDGET_BACK_S + 1)
            await machine.ask([1])
            assert machine.line.budget_tokens == budget
        await machine.ask(*texts_of(16))
        assert len(machine.process.batches[-1]) == 16

    run(story())


def test_a_text_too_large_for_the_memory_fails_alone() -> None:
    async def story() -> None:
        machine = Machine()
        machine.process.memory_tokens = 30
        found = await outcomes(machine.ask([1] * 40), machine.ask([2] * 10), machine.ask([3] * 10))
        assert codes(found) == [Code.NO_MEMORY, None, None]
        assert isinstance(found[0], Problem)
        assert STATUS[found[0].code] == 503
        assert found[0].message == "The model cannot compute text 0: there is not enough memory."

    run(story())


# ------------------------------------------------------------------------------------------- processes that end


def test_a_text_that_kills_twice_fails_alone() -> None:
    async def story() -> None:
        machine = Machine(lanes=2)
        texts = texts_of(16)
        texts[5] = [KILLER] * 4
        found = await outcomes(*(machine.ask(text) for text in texts))
        assert codes(found) == [Code.WORKER_LOST if place == 5 else None for place in range(16)]
        good = [(one, text) for one, text in zip(found, texts, strict=True) if isinstance(one, Computed)]
        assert all(right(one, text) for one, text in good)
        with_it = [batch for batch in machine.process.batches if [KILLER] * 4 in batch]
        assert [len(batch) for batch in with_it] == [14, 1]
        assert machine.process.restarts == 2
        assert isinstance(found[5], Problem)
        assert (STATUS[found[5].code], found[5].headers) == (503, {"Retry-After": "1"})

    run(story())


def test_a_suspected_text_is_computed_alone() -> None:
    async def story() -> None:
        machine = Machine(lanes=2, batch_tokens=4)
        suspect = machine.ask([KILLER] * 4)
        others = [machine.ask(text) for text in texts_of(12)]
        found = await outcomes(suspect, *others)
        assert codes(found) == [Code.WORKER_LOST] + [None] * 12
        assert machine.process.restarts == 2
        first, again = (place for place, batch in enumerate(machine.process.batches) if batch == [[KILLER] * 4])
        assert machine.process.company[first + 1] == 1  # the first time there was one
        assert (machine.process.company[again], machine.process.company[again + 1]) == (0, 0)

    run(story())


def test_texts_that_were_with_a_process_when_it_ended_are_computed_once_more_and_by_themselves() -> None:
    async def story() -> None:
        machine = Machine(lanes=2, batch_tokens=32)
        texts = texts_of(20)
        asked = [machine.ask(text) for text in texts]
        await asyncio.sleep(0.01)  # two batches are at it
        computing = [text for batch in machine.process.batches[-2:] for text in batch]
        machine.process.end()
        before = len(machine.process.batches)
        found = await outcomes(*asked)
        assert all(isinstance(one, Computed) and right(one, text) for one, text in zip(found, texts, strict=True))
        again = machine.process.batches[before:]
        assert sorted(again[: len(computing)]) == sorted([text] for text in computing)
        assert all(len(batch) > 1 for batch in again[len(computing) :])

    run(story())


def test_without_a_process_texts_wait_and_other_models_answer() -> None:
    async def story() -> None:
        machine = Machine(models=2, lanes=2)
        machine.processes[0].end()
        waiting, other = machine.ask([1, 2]), machine.ask([3, 4], model=1)
        assert right(await other, [3, 4])
        assert not waiting.done()
        found = await waiting
        assert right(found, [1, 2])
        assert found.queue_s == pytest.approx(RESTART_S)

    run(story())


def test_waiting_and_new_requests_fail_if_no_process_will_start() -> None:
    async def story() -> None:
        machine = Machine(models=2, lanes=2, batch_tokens=16)
        asked = [machine.ask(text) for text in texts_of(20)]
        await asyncio.sleep(0.001)
        machine.process.end(for_ever=True)
        machine.scheduler.close(machine.line.station)
        found = [*await outcomes(*asked), *await outcomes(machine.ask([1]))]
        assert set(codes(found)) == {Code.WORKER_LOST}
        assert asyncio.get_running_loop().time() < 0.1
        assert right(await machine.ask([3], model=1), [3])

    run(story())


# ------------------------------------------------------------------------------------------- requests that leave


def test_texts_of_a_request_that_was_cancelled_are_not_computed() -> None:
    async def story() -> None:
        machine = Machine(batch_tokens=16)
        first = machine.ask([1] * 4)
        leaving, staying = machine.ask(*([[7] * 4] * 10)), machine.ask([9] * 4)
        await asyncio.sleep(0)
        leaving.cancel()
        await outcomes(first, leaving, staying)
        assert machine.process.batches == [[[1] * 4], [[9] * 4]]
        assert (machine.line.queue.texts, machine.line.queue.tokens) == (0, 0)

    run(story())


def test_a_request_that_failed_has_at_most_the_next_batch_computed() -> None:
    async def story() -> None:
        machine = Machine(batch_tokens=4)
        (found,) = await outcomes(machine.ask([POISON], [1] * 4, [2] * 4, [3] * 4))
        assert isinstance(found, Problem)
        await asyncio.sleep(10)
        assert len(machine.process.batches) <= 2

    run(story())


def test_half_batches_of_departed_requests_are_not_computed() -> None:
    async def story() -> None:
        machine = Machine()
        first = machine.ask([1] * 4)
        asked = [machine.ask(text) for text in ([POISON] * 4, [2] * 4, [3] * 4, [4] * 4)]
        await first
        await asyncio.sleep(0.001)  # the four are at it
        for one in asked[1:]:
            one.cancel()
        await outcomes(*asked)
        assert machine.process.batches[2:] == [[[POISON] * 4]]

    run(story())


# ------------------------------------------------------------------------------------------- all of it at once

KINDS = st.sampled_from(["good"] * 12 + ["poison", "killer", "leaves", "late"])
REQUESTS = st.lists(
    st.tuples(KINDS, st.lists(st.integers(1, 60), min_size=1, max_size=6), st.floats(0, 2)), min_size=1, max_size=25
)


@given(requests=REQUESTS, lanes=st.integers(1, 3), memory_tokens=st.sampled_from([70, 100, 10**6]))
def test_whatever_happens_everybody_gets_an_answer_and_it_is_their_own(
    requests: list[tuple[str, list[int], float]], lanes: int, memory_tokens: int
) -> None:
    async def story() -> None:
        machine = Machine(lanes=lanes)
        machine.process.memory_tokens = memory_tokens
        seen: list[tuple[str, list[list[int]], asyncio.Task[Computed]]] = []

        async def send(number: int, kind: str, lengths: list[int], after_s: float) -> None:
            await asyncio.sleep(after_s)
            texts = [[number + 1] * length for length in lengths]
            if kind in ("poison", "killer"):
                texts[-1][0] = POISON if kind == "poison" else KILLER
            task = machine.ask(*texts, timeout_s=0.02 if kind == "late" else 1000)
            seen.append((kind, texts, task))
            if kind == "leaves":
                await asyncio.sleep(0.001)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        await asyncio.gather(*(send(number, *one) for number, one in enumerate(requests)))
        for kind, texts, task in seen:
            if task.cancelled():
                assert kind == "leaves"
            elif (error := task.exception()) is None:
                assert kind in ("good", "late", "leaves")
                assert right(task.result(), *texts)
            else:
                expected = {"poison": Code.COMPUTE_FAILED, "killer": Code.WORKER_LOST, "late": Code.DEADLINE}
                assert isinstance(error, Problem)
                assert error.code == expected[kind]
        await asyncio.sleep(1000)
        assert (machine.line.queue.texts, machine.line.station.in_flight, machine.line.has_work) == (0, 0, False)
        assert not machine.line.station.suspects

    run(story())
