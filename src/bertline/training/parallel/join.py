"""Join the processes of a run, as the environment describes them: that of torchrun, of ours, or set by hand.

``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ``MASTER_PORT`` and ``LOCAL_RANK`` mean what they mean for torchrun. Ranks of
one machine can meet in a file instead (``RENDEZVOUS``), without a port that others could take or reach.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed as dist

from bertline.errors import UsageError
from bertline.training.parallel.ranks import ALONE, Dismissed, Group, PeerLost, Ranks

RENDEZVOUS = "BERTLINE_RENDEZVOUS"  # path of a file that does not exist yet
PATIENCE = timedelta(hours=1)  # for the leader while it reads texts or writes, and the others wait
_ALL = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

_joined: list[Ranks] = []  # the group of this process, which torch also keeps one of


def is_rank(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment makes this process one of several."""
    return environ.get("WORLD_SIZE", "1") != "1"


def current() -> Ranks:
    """The ranks of the run around the caller; without one, the caller alone."""
    return _joined[-1] if _joined else ALONE


@contextmanager
def joined(environ: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Within: this process is one of the ranks of its environment, or alone if there is none.

    A follower that is dismissed goes on after the block.

    Raises:
        UsageError: the environment lacks a variable, or a number is none.
        PeerLost: the others do not come.
    """
    if not is_rank(environ):
        yield ALONE
        return
    ranks = _group(environ)
    _joined.append(ranks)
    try:
        yield ranks
    except Dismissed:
        pass
    finally:
        _joined.remove(ranks)
    dist.destroy_process_group()  # not after an error: it could wait for those that are lost


def _group(environ: Mapping[str, str]) -> Group:
    file = environ.get(RENDEZVOUS)
    absent = [name for name in _ALL if name not in environ and not (file and name.startswith("MASTER"))]
    if absent:
        raise UsageError(
            f"WORLD_SIZE is {environ['WORLD_SIZE']}, but {', '.join(absent)} is not set: start the processes with "
            "torchrun, or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in each"
        )
    rank, world = _number(environ, "RANK"), _number(environ, "WORLD_SIZE")
    local = _number(environ, "LOCAL_RANK") if "LOCAL_RANK" in environ else rank
    if not 0 <= rank < world:
        raise UsageError(f"RANK is {rank}, but WORLD_SIZE is {world}: number the processes from 0 to {world - 1}")
    gpus = torch.cuda.device_count()
    where = f"file://{file}" if file else "env://"  # torchrun serves its own store at MASTER_ADDR
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus else "gloo", init_method=where, rank=rank, world_size=world, timeout=PATIENCE
        )
        dist.all_reduce(torch.zeros(1))  # all are there: one that leaves at once would break off others who still join
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise PeerLost(f"process {rank} of {world} cannot join the others ({reason}): start all of them") from error
    if local < gpus:
        torch.cuda.set_device(local)
    return Group(rank, world, local)


def _number(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise UsageError(f"{name} is {environ[name]!r}, which is no number: give the number of processes") from None
