"""``bertline predict`` for more than one file or process: shards of a job, here or on a cluster."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from bertline.cli.bundle_argument import address_of
from bertline.cli.predict_screen import note
from bertline.cli.predict_table import Table
from bertline.cli.shards_screen import ShardsScreen
from bertline.cli.spread import Spread
from bertline.data.corpus import is_plain
from bertline.data.formats import STANDARD, output_format_of
from bertline.data.rows import rows_left_out
from bertline.destination import check_name, claim
from bertline.distributed.inputs import S3_SCHEME, is_table
from bertline.distributed.job import Opened, open_job
from bertline.distributed.join import join
from bertline.distributed.labeller import Work
from bertline.distributed.plan import share
from bertline.distributed.run import Crew, run_here
from bertline.errors import UsageError
from bertline.inference.label_tally import LabelTally
from bertline.machine.ray_cluster import Cluster, connect
from bertline.statistics.figures import how_many

WHAT = "the output"


def label_shards(
    bundle: Path, table: Table, spread: Spread, top_k: int | None = None, *, engine: str | None = None
) -> None:
    """Do what is not done of a job, or this process's share of it.

    Raises:
        UsageError: the flags make no sense together, or the output has another job.
        DataError: the input cannot be read, or the output cannot be written.
        BundleError: the bundle cannot be loaded.
        ClusterError: the cluster cannot be used.
    """
    own = spread.share
    file = _file(table, spread)
    source, target = (_absolute(one) for one in (table.source, table.target if file is None else f"{file}.shards"))
    words = None if table.targets is None else tuple(table.targets)
    work = Work(
        bundle.resolve(), source, target, table.settings, top_k, words, table.candidates,
        dimensions=table.dimensions, address=address_of(bundle),
    )  # fmt: skip
    cluster = connect(spread.ray) if spread.ray is not None else nullcontext()
    with cluster as connected, ShardsScreen(spread.core_hour) as screen:
        workers = 1 if own is None else own[1]
        if connected is not None:
            workers = spread.workers or max(1, connected.cores // spread.worker_cores)
        screen.begin("checking")
        opened = open_job(
            work,
            engine=engine,
            format=None if file is None else output_format_of(file),
            shard_rows=spread.shard_rows,
            workers=workers,
            watch=screen.advance,
        )
        tally, computed = _compute(opened, spread, connected, workers, screen)
        _report(opened, tally, screen, computed)
        _finish(opened, file, table.target, joins=own is None)


def _compute(
    opened: Opened, spread: Spread, cluster: Cluster | None, workers: int, screen: ShardsScreen
) -> tuple[LabelTally, int]:
    """The tally of what was answered, and the number of shards."""
    missing = opened.missing
    numbers = missing if spread.share is None else share(missing, *spread.share)
    plan = opened.plan
    screen.begin("labelling", sum(plan.shards[number - 1].rows for number in numbers))
    if cluster is None:
        screen.cores = 1
        return run_here(opened, numbers, screen.advance), len(numbers)
    screen.cores = min(workers, max(1, len(numbers))) * spread.worker_cores
    work = Work(**{**{name: getattr(opened.work, name) for name in Work.__slots__}, "lanes": spread.worker_cores})
    crew = Crew(cluster, Opened(work, plan, opened.place), spread.worker_cores, screen.advance)
    tally = crew.run(numbers, workers)
    if crew.lost:
        note(f"note: {crew.lost} {'worker' if crew.lost == 1 else 'workers'} died, and others did their shards")
    return tally, len(numbers)


def _file(table: Table, spread: Spread) -> Path | None:
    """The file to join the shards into; None where the output is a directory or an address.

    Raises:
        UsageError: standard input or output, or a file that exists.
    """
    if table.source == STANDARD or table.target == STANDARD:
        raise UsageError(
            "shards are of files and in files: name a file, a directory or an s3:// address with --input, and one for "
            "the shards with --output"
        )
    if spread.ray is not None and spread.shard is not None:
        raise UsageError("--ray and --shard were both given: a cluster's workers share the shards by themselves")
    if is_plain(table.source, table.settings):
        fault = f"{table.source} has one text per line, and shards are of tables"
        raise UsageError(f"{fault}: leave out the flags of shards")
    target = table.target
    if target.startswith(S3_SCHEME) or target.endswith("/") or Path(target).is_dir() or not is_table(target):
        if table.overwrite:
            raise UsageError(f"--overwrite is for a file: delete {target} to begin its job anew")
        return None
    file = Path(target)
    check_name(file, WHAT)
    if not file.parent.is_dir():
        raise UsageError(f"--output {file} has no directory: create {file.parent} first")
    if file.exists() and not table.overwrite:
        raise UsageError(f"--output {file} exists: name another file, or pass --overwrite to replace it")
    return file


def _absolute(place: str) -> str:
    return place if place.startswith(S3_SCHEME) else str(Path(place).absolute())


def _report(opened: Opened, tally: LabelTally, screen: ShardsScreen, computed: int) -> None:
    plan = opened.plan
    if plan.taken:
        note(f"note: the table already has {', '.join(plan.taken)}: the added columns begin with {plan.prefix}")
    if tally.texts:
        from bertline.bundle.verify import read_manifest

        note(tally.cut_sentence(read_manifest(opened.work.bundle).max_tokens))
    left_out = rows_left_out(plan.left_out)
    note(None if left_out is None else f"note: {left_out}")
    if computed:
        note(f"{screen.summary()}: {computed:,} of {len(plan.shards):,} shards")


def _finish(opened: Opened, file: Path | None, target: str, *, joins: bool) -> None:
    """Say what is left, and join the shards into the file if all are there."""
    missing, where = opened.missing, opened.work.target
    if missing:
        note(f"{len(missing):,} of {len(opened.plan.shards):,} shards of {where} are not done")
    elif file is None:
        note(f"all {len(opened.plan.shards):,} shards are done: {target}")
    elif joins:
        with claim(file, WHAT):
            rows = join(opened.plan, opened.place, where, file)
        opened.place.remove()
        note(f"{how_many(rows, 'row')}: {file}")
    else:
        note(f"all {len(opened.plan.shards):,} shards are done: bertline join {where} --output {file}")
