"""A job begun or taken up again: its plan is read, or made and written by whoever comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bertline.bundle.verify import read_manifest
from bertline.data.formats import Format, format_of
from bertline.distributed.cutting import SHARD_ROWS, Reading, Watch, shards_of, survey
from bertline.distributed.inputs import Inputs, find_inputs
from bertline.distributed.labeller import Work
from bertline.distributed.places import Place, find_place
from bertline.distributed.plan import NAME, InputFile, Job, Plan, check_same, read_plan
from bertline.errors import DataError, UsageError
from bertline.inference import Predictor
from bertline.inference.added_columns import AddedColumns
from bertline.inference.requested import spec_of, top_of
from bertline.inference.zero_shot import load_with_labels
from bertline.text import Tokenizer

# Settings of tables that say how they are read; the rest of a job's flags is about the answers.
READING = (
    "text_column", "text_pair_column", "query_column", "format", "encoding", "delimiter", "no_header", "skip_bad_rows",
)  # fmt: skip
SHARDS_EACH = 4  # of a worker, at least, so that none waits long for the last one


@dataclass(frozen=True, slots=True)
class Opened:
    """A job whose plan is in its place."""

    work: Work
    plan: Plan
    place: Place

    @property
    def missing(self) -> list[int]:
        """The shards that are not done."""
        return self.plan.missing(self.place.names())


def open_job(
    work: Work,
    *,
    engine: str | None = None,
    format: Format | None = None,
    shard_rows: int | None = None,
    workers: int = 1,
    watch: Watch,
) -> Opened:
    """The job of ``work``, with the plan that is there or a new one.

    Args:
        work: what to compute.
        engine: to answer with; None is the plan's, at the first start the bundle's first.
        format: of the shards; None is that of the input.
        shard_rows: rows of a shard, at least; None is ``SHARD_ROWS``, or less so that every worker gets some.
        workers: how many there are to share them.
        watch: is called with the number of rows that were read since the last call.

    Raises:
        UsageError: the place has another job.
        DataError: as ``cut``.
        BundleError: the bundle cannot be loaded.
    """
    inputs, place = find_inputs(work.source), find_place(work.target)
    files = inputs.files()
    kind = _format(files, work, format)
    manifest = read_manifest(work.bundle)

    def job(engine: str) -> Job:
        return Job(
            bundle=manifest.checksum, model=manifest.name, engine=engine, format=kind, flags=_flags(work),
            shard_rows=shard_rows,
        )  # fmt: skip

    with place.alone():
        content = place.read(NAME)
        if content is not None:
            plan = read_plan(content, work.target)
            check_same(plan, job(engine or plan.job.engine), files, work.target)
            return Opened(work, plan, place)
        _check_empty(place, work.target)
        predictor = load_with_labels(work.bundle, work.candidates, engine=engine)
        spec_of(predictor, work.top_k, work.targets, work.dimensions)  # refuses what the model cannot do
        plan = _made(work, predictor, inputs, files, job(predictor.engine), workers, watch)
        place.put(NAME, plan.model_dump_json().encode())
    return Opened(work, plan, place)


def _made(
    work: Work, predictor: Predictor, inputs: Inputs, files: list[InputFile], job: Job, workers: int, watch: Watch
) -> Plan:
    required = predictor.spec.required
    legible = Tokenizer.from_bundle(work.bundle).reads
    how = Reading(work.settings, job.format, predictor.spec.reads, legible, required)
    surveyed = [survey(inputs, file, how, watch) for file in files]
    rows = sum(sum(one.edges.rows) for one in surveyed)
    each = SHARD_ROWS if workers == 1 else min(SHARD_ROWS, -(-rows // (workers * SHARDS_EACH)))
    shard_rows = job.shard_rows or each
    for one in surveyed:
        one.edges.joined(shard_rows)
    top, [example] = top_of(predictor, work.top_k), predictor.predict([required])
    columns = tuple(dict.fromkeys(column for one in surveyed for column in one.columns))
    added = AddedColumns.choose(columns, [*example.columns(**top)], predictor.name)
    return Plan(
        job=job,
        inputs=tuple(files),
        tables=tuple(one.table for one in surveyed),
        columns=columns,
        prefix=added.prefix,
        added=added.plain,
        taken=added.taken,
        left_out=sum((one.bad.counts for one in surveyed), Counter()),
        shards=tuple(shard for place, one in enumerate(surveyed) for shard in shards_of(one, inputs, files, place)),
    )


def _flags(work: Work) -> dict[str, Any]:
    """What the command was given that must not change, by the names of its flags."""
    settings = work.settings.model_dump(mode="json", include=set(READING), exclude_defaults=True)
    labels = {} if work.candidates is None else asdict(work.candidates)
    given = {"top_k": work.top_k, "target": work.targets, "dimensions": work.dimensions, **labels}
    plain = {name: list(one) if isinstance(one, tuple) else one for name, one in given.items()}
    return {**settings, **{name: one for name, one in plain.items() if one not in (None, False)}}


def _format(files: Sequence[InputFile], work: Work, given: Format | None) -> Format:
    """The format of the shards.

    Raises:
        DataError: the tables have several formats, or Parquet is to be made of another.
    """
    kinds = sorted({format_of(file.name, work.settings.format) for file in files})
    if len(kinds) > 1:
        raise DataError(f"{work.source} has tables of several formats, {' and '.join(kinds)}: keep them apart")
    made: Format = given or ("jsonl" if kinds[0] == "conll" else kinds[0])
    if made == "parquet" != kinds[0]:
        raise DataError(
            f"shards of {kinds[0]} cannot be Parquet, whose columns have types that only all rows show: write "
            "JSON lines or CSV, or give Parquet"
        )
    return made


def _check_empty(place: Place, target: str) -> None:
    """Refuse a directory with files that are not of a job.

    Raises:
        UsageError: it has some.
    """
    names = sorted(name for name in place.names() if not name.startswith("."))
    if names:
        raise UsageError(f"--output {target} has other files, such as {names[0]}: give a new or an empty directory")
