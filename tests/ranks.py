"""The ranks of a run as real processes that meet in a file; they are forked from one that has imported everything."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bertline.training.parallel.join import RENDEZVOUS, joined
from bertline.training.parallel.ranks import Ranks
from tests.forked import FORKING

PATIENCE_S = 120.0


def together(work: Callable[..., Any], world: int, folder: Path, *arguments: Any) -> list[Any]:
    """What ``work(ranks, *arguments)`` returns in each of ``world`` processes; an exception is returned as its text.

    A process that was killed returns None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    meeting = folder / f"rendezvous-{len(list(folder.glob('rendezvous-*')))}"
    lines, processes = [], []
    for rank in range(world):
        ours, its = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=_rank, args=(its, rank, world, meeting, work, arguments))
        process.start()
        its.close()
        lines.append(ours)
        processes.append(process)
    try:
        return [_result(line) for line in lines]
    finally:
        for process in processes:
            process.kill()
            process.join()


def die() -> None:
    """As a process without memory does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _result(line: Connection) -> Any:
    assert line.poll(PATIENCE_S), "a rank still runs"
    try:
        return pickle.loads(line.recv_bytes())
    except EOFError:
        return None


def _rank(
    line: Connection, rank: int, world: int, meeting: Path, work: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    import torch

    torch.set_num_threads(1)
    environ = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, RENDEZVOUS: meeting, "GLOO_SOCKET_IFNAME": "lo"}
    os.environ.update({name: str(value) for name, value in environ.items()})
    result: Any = "dismissed"
    try:
        with joined() as ranks:
            assert isinstance(ranks, Ranks)
            result = work(ranks, *arguments)
    except Exception as error:
        traceback.print_exc()
        result = f"{type(error).__name__}: {error}"
    line.send_bytes(pickle.dumps(result))  # send() would leave a tensor's storage in this process
    line.close()
