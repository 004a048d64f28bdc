"""The processes of one run, as a value. For a run in one process, every method returns its argument.

All ranks run the same program with the same data and settings, and call these methods in the same order. Rank 0, the
leader, prints and writes; the others have nothing that it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor
from torch import distributed as dist

from bertline.errors import TrainingError

T = TypeVar("T")


class PeerLost(TrainingError):
    """Another process of the run ended or cannot be reached; the run can go on from its checkpoint."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again


class Dismissed(Exception):
    """The rest of the run is the leader's; ends a follower without an error (``join.joined``)."""


@runtime_checkable
class Ranks(Protocol):
    """What the processes of a run do together.

    Attributes:
        rank: of this process, from 0 on.
        world: number of processes.
        local: number of this process on its machine, which is the number of its GPU.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102 - above

    @property
    def world(self) -> int: ...  # noqa: D102

    @property
    def local(self) -> int: ...  # noqa: D102

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which prints and writes."""
        ...

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """This rank's part of ``items``: every ``world``-th, so that sorted items are shared evenly."""
        ...

    def sum(self, *values: int | float) -> tuple[int | float, ...]:
        """Each value, summed over the ranks."""
        ...

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is True in any rank."""
        ...

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in their order."""
        ...

    def leaders(self, value: T) -> T:
        """The leader's value."""
        ...

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite ``tensors`` with the leader's, which have the same shapes."""
        ...

    def add_up(self, tensor: Tensor, *, wait: bool = True) -> Callable[[], object]:
        """Sum ``tensor`` over the ranks in place; what is returned waits for that, if ``wait`` is False."""
        ...

    def in_turn(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which the leader does first: it leaves on disk what the others then find there."""
        ...

    def dismiss(self) -> None:
        """The leader goes on alone: the others end here, with ``Dismissed``."""
        ...


@dataclass(frozen=True, slots=True)
class Alone:
    """A run in one process."""

    rank: int = 0
    world: int = 1
    local: int = 0
    leads: bool = True

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """All items."""
        return items

    def sum(self, *values: int | float) -> tuple[int | float, ...]:
        """The values."""
        return values

    def any(self, flag: bool) -> bool:
        """The flag."""
        return flag

    def gather(self, value: T) -> list[T]:
        """The value."""
        return [value]

    def leaders(self, value: T) -> T:
        """The value."""
        return value

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Nothing."""

    def add_up(self, tensor: Tensor, *, wait: bool = True) -> Callable[[], object]:
        """Nothing."""
        return _nothing

    def in_turn(self, work: Callable[[], T]) -> T:
        """The result of ``work``."""
        return work()

    def dismiss(self) -> None:
        """Nobody is there to be dismissed."""


ALONE: Ranks = Alone()


@dataclass(frozen=True, slots=True)
class Group:
    """The ranks of torch's default process group. Values travel by gloo; tensors on a GPU by NCCL."""

    rank: int
    world: int
    local: int

    @property
    def leads(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """Every ``world``-th item, from the one with this rank's number on."""
        return items[self.rank :: self.world]

    def sum(self, *values: int | float) -> tuple[int | float, ...]:
        """By one all-reduce in double precision."""
        total = torch.tensor(values, dtype=torch.float64)
        self.add_up(total)
        return tuple(total.tolist())

    def any(self, flag: bool) -> bool:
        """By the sum of the flags."""
        return self.sum(float(flag))[0] > 0

    def gather(self, value: T) -> list[T]:
        """Pickled, because it is between processes of one run."""
        values: list[Any] = [None] * self.world
        with self._together():
            dist.all_gather_object(values, value)
        return values

    def leaders(self, value: T) -> T:
        """Pickled likewise."""
        values: list[Any] = [value]
        with self._together():
            dist.broadcast_object_list(values, src=0)
        result: T = values[0]
        return result

    def share(self, tensors: Sequence[Tensor]) -> None:
        """One broadcast for each."""
        with self._together(), torch.no_grad():
            for tensor in tensors:
                dense = tensor.contiguous()
                dist.broadcast(dense, src=0)
                tensor.copy_(dense)

    def add_up(self, tensor: Tensor, *, wait: bool = True) -> Callable[[], object]:
        """By all-reduce, which gives every rank the same bits."""
        with self._together():
            work = dist.all_reduce(tensor, async_op=True)
        assert work is not None

        def waited() -> None:
            with self._together():
                work.wait()

        if wait:
            waited()
        return waited

    def in_turn(self, work: Callable[[], T]) -> T:
        """The leader, then all others at once."""
        if self.leads:
            result = work()
            self.any(False)
            return result
        self.any(False)
        return work()

    def dismiss(self) -> None:
        """Followers end."""
        if not self.leads:
            raise Dismissed

    @contextmanager
    def _together(self) -> Iterator[None]:
        """A lost connection and a time-out are a ``RuntimeError`` of torch."""
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise PeerLost(
                f"process {self.rank} of {self.world} lost another one ({reason}): "
                "run the same command with --resume to continue from the last checkpoint"
            ) from error


def _nothing() -> None:
    """There is nothing to wait for."""
