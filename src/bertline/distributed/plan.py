"""The plan of a job: what is answered, by what, and where each shard begins and ends.

It is written once, beside the shards, by whoever starts first, and holds for every later start. A shard is done when
its file exists, so there is nothing else to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bertline.data.formats import Format
from bertline.data.ranges import Preamble, Range
from bertline.errors import UsageError

NAME = "_job.json"  # readers of directories of tables leave out names with an underscore
VERSION = 1
ANEW = "choose another --output, or delete it to begin anew"


class Model(BaseModel):
    """A frozen part of the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InputFile(Model):
    """One table of the input: its path below the input, its size, and of an object its ETag."""

    name: str
    bytes: int
    tag: str | None = None


class Job(Model):
    """What must be the same at every start.

    Attributes:
        bundle: checksum of the manifest.
        model: its name, for messages.
        engine: that answers; fixed by the first start, whatever else a later machine has.
        format: of the shards.
        flags: the command's flags that change the answers or how the tables are read, where they were given.
        shard_rows: rows per shard, as given; None is as the first start found best.
    """

    bundle: str
    model: str
    engine: str
    format: Format
    flags: Mapping[str, Any] = Field(default_factory=dict)
    shard_rows: int | None = None


class Table(Model):
    """How one file is read: its preamble, and the columns of the text, or of both texts of a pair."""

    preamble: Preamble
    texts: tuple[str, ...]


class Shard(Model):
    """A range of rows of one file.

    Attributes:
        file: its place among the plan's inputs.
        rows: good ones.
        window_rows: most texts of its first window, so that its windows are those of a process that answers all.
        part: where the rows are.
    """

    file: int
    rows: int
    window_rows: int
    part: Range


class Plan(Model):
    """All of it.

    Attributes:
        columns: of the tables, all of them.
        added: names of the added columns without ``prefix``, and ``taken`` those that the tables have.
        left_out: bad rows by reason.
    """

    version: int = VERSION
    job: Job
    inputs: tuple[InputFile, ...]
    tables: tuple[Table, ...]
    columns: tuple[str, ...]
    prefix: str
    added: tuple[str, ...]
    taken: tuple[str, ...]
    left_out: Mapping[str, int]
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """Good rows in all."""
        return sum(shard.rows for shard in self.shards)

    def name(self, number: int) -> str:
        """The file of a shard, counted from 1.

        >>> shard_name(3, 64, "csv")
        'part-00003-of-00064.csv'
        """
        return shard_name(number, len(self.shards), self.job.format)

    @property
    def names(self) -> Iterator[str]:
        """The files of all shards, in the order of the rows."""
        return map(self.name, range(1, len(self.shards) + 1))

    def missing(self, there: Set[str]) -> list[int]:
        """The shards whose files are not there."""
        return [number for number, name in enumerate(self.names, 1) if name not in there]


def shard_name(number: int, count: int, format: str) -> str:
    """The name of a shard's file."""
    digits = max(5, len(str(count)))
    return f"part-{number:0{digits}}-of-{count:0{digits}}.{format}"


def share(numbers: Sequence[int], index: int, count: int) -> list[int]:
    """The shards of worker ``index`` of ``count``, both counted from 1: every ``count``-th one.

    >>> share(range(1, 8), 2, 3)
    [2, 5]
    """
    return [number for number in numbers if (number - index) % count == 0]


def read_plan(content: bytes, where: str) -> Plan:
    """A plan from its file.

    Raises:
        UsageError: it is none, or of a newer version.
    """
    try:
        return Plan.model_validate_json(content)
    except ValidationError:
        raise UsageError(f"{where}/{NAME} is not the plan of a job that this bertline knows: {ANEW}") from None


def check_same(plan: Plan, job: Job, inputs: Sequence[InputFile], where: str) -> None:
    """Refuse to go on with a job under other terms.

    Raises:
        UsageError: the bundle, the flags or the inputs are not those of the plan; the message names the first that
            differs.
    """
    difference = next(_differences(plan, job, inputs), None)
    if difference is not None:
        raise UsageError(f"{where} holds shards of another job: {difference}; {ANEW}")


def _differences(plan: Plan, job: Job, inputs: Sequence[InputFile]) -> Iterator[str]:
    old = plan.job
    if old.bundle != job.bundle:
        yield f"its bundle was {old.model} ({old.bundle[:12]}), and this one is {job.model} ({job.bundle[:12]})"
    if old.engine != job.engine:
        yield f"its engine was {old.engine}, and this one is {job.engine} (give --engine {old.engine})"
    if old.format != job.format:
        yield f"its format was {old.format}, and this one is {job.format}"
    for flag in sorted({*old.flags, *job.flags}):
        before, now = old.flags.get(flag), job.flags.get(flag)
        if before != now:
            yield f"its --{flag.replace('_', '-')} was {_shown(before)}, and now it is {_shown(now)}"
    if job.shard_rows is not None and old.shard_rows != job.shard_rows:
        yield f"its --shard-rows was {_shown(old.shard_rows)}, and now it is {job.shard_rows}"
    before_files, now_files = ({one.name: one for one in files} for files in (plan.inputs, inputs))
    for name in sorted(before_files.keys() ^ now_files.keys()):
        yield f"the input file {name} was {'removed' if name in before_files else 'added'}"
    for name, before_file in before_files.items():
        if before_file != now_files.get(name):
            yield f"the input file {name} has changed"


def _shown(value: Any) -> str:
    return "not given" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
