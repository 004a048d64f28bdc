"""An event loop whose clock jumps to the next timer: code written for asyncio runs unchanged, in simulated time.

The serving scheduler reads time and sleeps only through the event loop, so the simulation runs the scheduler that
serves, not a model of it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Jump(selectors.SelectSelector):
    """Never waits for files: moves the clock instead."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the simulation waits for something that never happens")
        self.now_s += max(0.0, timeout)
        return []


class VirtualTime(asyncio.SelectorEventLoop):
    """The loop; its clock starts at 0 and moves only between events."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Simulated seconds."""
        return self._jump.now_s


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine in simulated time.

    >>> async def sleeper() -> float:
    ...     await asyncio.sleep(3600)
    ...     return asyncio.get_running_loop().time()
    >>> run(sleeper())
    3600.0
    """
    loop = VirtualTime()
    try:
        return loop.run_until_complete(work)
    finally:
        with suppress(RuntimeError):
            loop.run_until_complete(_cancel_the_rest())
        loop.close()


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
