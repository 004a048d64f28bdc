"""Models that have work at the same time share the machine by the time they take of it."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.machine import POISON, Machine
from tests.service.virtual_time import run


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("lengths", [(4, 4), (4, 60), (30, 7)])
def test_models_that_have_work_share_the_machine(lanes: int, lengths: tuple[int, int]) -> None:
    async def story() -> None:
        machine = Machine(models=2, lanes=lanes)
        for model, length in enumerate(lengths):
            for _ in range(12):
                machine.ask(*([[1] * length] * (1000 // length)), model=model)
        await asyncio.sleep(5 / lanes)
        assert all(line.has_work for line in machine.lines)
        busy = [sum(one.compute_s for one in machine.records if one.line is line) for line in machine.lines]
        assert busy[0] == pytest.approx(busy[1], rel=0.1)
        assert sum(busy) == pytest.approx(5, rel=0.1)
        machine.scheduler.lanes = 0  # nothing more is begun

    run(story())


def test_a_model_that_was_idle_is_not_owed_the_time() -> None:
    async def story() -> None:
        machine = Machine(models=2)
        for _ in range(20):
            machine.ask(*([[1] * 10] * 100))
        await asyncio.sleep(5)
        for _ in range(20):
            machine.ask(*([[1] * 10] * 100), model=1)
        before = len(machine.records)
        await asyncio.sleep(5)
        busy = [sum(one.compute_s for one in machine.records[before:] if one.line is line) for line in machine.lines]
        assert busy[0] == pytest.approx(busy[1], rel=0.1)
        machine.scheduler.lanes = 0  # nothing more is begun

    run(story())


def test_a_model_whose_batches_all_fail_takes_only_its_share() -> None:
    async def story() -> None:
        machine = Machine(models=2)
        asked = [machine.ask([word] * 10, model=model) for model, word in ((0, POISON), (1, 5)) for _ in range(600)]
        await asyncio.sleep(5)
        assert machine.lines[0].has_work
        assert machine.lines[1].has_work
        assert sum(one.compute_s for one in machine.records) == pytest.approx(2.5, rel=0.1)
        for one in asked:
            one.cancel()
        machine.scheduler.lanes = 0  # nothing more is begun

    run(story())
