"""How work is shared among processes and machines, as the flags of a command say, and what a core costs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bertline.data.formats import STANDARD
from bertline.errors import UsageError

PANEL = "Shards and clusters"
S3_SCHEME = "s3://"
_SHARD = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Spread:
    """How the work is shared, as the command's flags say.

    Attributes:
        shard: ``K/N``, this process's share.
        shard_rows: rows of a shard.
        ray: address of a cluster.
        workers: on the cluster; None is as many as fit.
        worker_cores: of each.
        core_hour: price of one, with its currency.
    """

    shard: str | None = None
    shard_rows: int | None = None
    ray: str | None = None
    workers: int | None = None
    worker_cores: int = 1
    core_hour: tuple[float, str] | None = None

    @property
    def share(self) -> tuple[int, int] | None:
        """K and N of ``K/N``.

        Raises:
            UsageError: it is something else.
        """
        if self.shard is None:
            return None
        match = _SHARD.fullmatch(self.shard.strip())
        if match is None:
            raise UsageError(f"--shard {self.shard} is not a share: give K/N, such as 3/64")
        index, count = int(match[1]), int(match[2])
        if not 1 <= index <= count:
            hint = "; an index from 0, such as JOB_COMPLETION_INDEX, needs 1 added" if index == 0 else ""
            raise UsageError(f"--shard {self.shard} is not a share: shards are counted from 1 to {count}{hint}")
        return index, count


def is_spread(source: str, target: str, spread: Spread) -> bool:
    """Whether the work is a job of shards, not one table after the other from start to end."""
    asked = spread.shard is not None or spread.ray is not None or spread.shard_rows is not None
    places = [one for one in (source, target) if one != STANDARD]
    return asked or any(one.startswith(S3_SCHEME) or one.endswith("/") or _is_directory(one) for one in places)


def _is_directory(place: str) -> bool:
    try:
        return Path(place).is_dir()
    except OSError:  # a name that no file can have is refused later, with a sentence
        return False


def core_hour(price: float | None, prices: Path | None, machine: str | None) -> tuple[float, str] | None:
    """The price of a core for an hour and its currency, from a flag or from a machine of a price table.

    Raises:
        UsageError: both are given, or the table cannot be read or has no such machine.
    """
    if prices is None:
        if machine is not None:
            raise UsageError("--machine goes with --prices: name the price table")
        return None if price is None else (price, "")
    if price is not None:
        raise UsageError("--core-hour-price and --prices were both given: give one of them")
    from bertline.deploy.capacity.prices import read_prices

    table = read_prices(prices)
    kinds = {one.name: one for one in table.machine}
    kind = kinds.get(machine) if machine is not None else table.machine[0]
    if kind is None:
        raise UsageError(f"{prices} has no machine {machine}: it has {', '.join(kinds)}")
    return kind.price_per_hour / kind.cores, table.currency
