"""The shards of a job as one table, in the order of the rows."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from bertline.data.formats import is_gzip_name, output_format_of
from bertline.data.writer import GZIP_LEVEL, replaced
from bertline.destination import check_room
from bertline.distributed.places import Place
from bertline.distributed.plan import NAME, Plan, read_plan
from bertline.errors import DataError, UsageError

SHOWN = 3  # missing shards in a message


def plan_at(place: Place, where: str) -> Plan:
    """The plan of the job at a place.

    Raises:
        UsageError: there is none.
    """
    content = place.read(NAME)
    if content is None:
        raise UsageError(f"{where} has no job: give the directory that bertline predict --shard or --ray wrote to")
    return read_plan(content, where)


def check_complete(plan: Plan, place: Place, where: str) -> None:
    """Refuse a job that is not done.

    Raises:
        DataError: shards are missing; the message names the first ones.
    """
    missing = plan.missing(place.names())
    if missing:
        names = ", ".join(map(plan.name, missing[:SHOWN]))
        more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
        verb = "is" if len(missing) == 1 else "are"
        raise DataError(
            f"{where} is not complete: {names}{more} {verb} missing; start the same bertline predict again, which does "
            "what is not done"
        )


def join(plan: Plan, place: Place, where: str, target: Path) -> int:
    """Write the rows of all shards to one file, which appears whole; returns their number.

    Raises:
        UsageError: the file's name asks for another format.
        DataError: a shard is missing, or the file cannot be written.
    """
    check_complete(plan, place, where)
    check_format(plan, target)
    check_room(target, "the table", 0)
    names = [*plan.names]
    if plan.job.format == "parquet":
        from bertline.data.parquet import join_parquet  # needs pyarrow, which an install may lack

        with replaced(target, str(target)) as stream:
            join_parquet([partial(place.reading, name) for name in names], stream)
    else:
        with _opened(target) as stream:
            _join_text(plan, place, names, stream)
    return plan.rows


def check_format(plan: Plan, target: Path) -> None:
    """Refuse a name that asks for another format than that of the shards.

    Raises:
        UsageError: it does.
    """
    kind = output_format_of(target, None)
    if kind != plan.job.format:
        raise UsageError(f"{target} would be {kind}, and the shards are {plan.job.format}: name it .{plan.job.format}")


@contextmanager
def _opened(target: Path) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        stream = stack.enter_context(replaced(target, str(target)))
        if is_gzip_name(target):
            yield cast(BinaryIO, stack.enter_context(gzip.GzipFile("", "wb", GZIP_LEVEL, stream, mtime=0)))
        else:
            yield stream


def _join_text(plan: Plan, place: Place, names: Sequence[str], stream: BinaryIO) -> None:
    header = plan.job.format in ("csv", "tsv")
    for place_in_order, name in enumerate(names):
        with place.reading(name) as path, path.open("rb") as file:
            if header and place_in_order:
                _skip_header(file)
            shutil.copyfileobj(file, stream, 2**20)


def _skip_header(file: BinaryIO) -> None:
    """Leave out the first record; a quoted name may have line breaks."""
    quotes = 0
    for line in iter(file.readline, b""):
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            return
