"""One shard after another: rows read, answered and written, by one process with the model loaded once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bertline.data.formats import format_of
from bertline.data.outline import Outline
from bertline.data.ranges import changed, range_rows
from bertline.data.rows import BadRows, Row
from bertline.data.settings import TableSettings
from bertline.data.table import open_writer
from bertline.distributed.inputs import find_inputs
from bertline.distributed.places import find_place
from bertline.distributed.plan import Plan, Shard
from bertline.distributed.workers_bundle import workers_bundle
from bertline.inference import predict_stream
from bertline.inference.added_columns import AddedColumns
from bertline.inference.label_tally import LabelTally
from bertline.inference.requested import spec_of, top_of
from bertline.inference.table_texts import checked_row, good_rows, input_of
from bertline.inference.zero_shot import load_with_labels
from bertline.tasks.zero_shot import Candidates
from bertline.text import Tokenizer

Watch = Callable[[int], None]


def unwatched(_rows: int) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a process needs to know to compute shards; it is sent to the workers of a cluster.

    Attributes:
        bundle: its directory, which every machine has at this path, unless there is an address.
        source: the input.
        target: the place of the shards.
        settings: of the tables.
        top_k: labels or words to give.
        targets: words to choose from.
        candidates: labels that come with the texts.
        lanes: batches computed at a time; None is one per core.
        dimensions: leading dimensions of an embedding to keep; None is all.
        address: from which a machine without the directory fetches the bundle into its own cache.
    """

    bundle: Path
    source: str
    target: str
    settings: TableSettings
    top_k: int | None = None
    targets: tuple[str, ...] | None = None
    candidates: Candidates | None = None
    lanes: int | None = None
    dimensions: int | None = None
    address: str | None = None


class Labeller:
    """Computes shards of a plan.

    Args:
        work: what to compute.
        plan: its shards.

    Raises:
        BundleError: the bundle is not on this machine and has no address, cannot be loaded, or is another.
        StoreError, DestinationError: it cannot be fetched.
    """

    def __init__(self, work: Work, plan: Plan) -> None:
        self._work, self._plan = work, plan
        self._inputs, self._place = find_inputs(work.source), find_place(work.target)
        bundle = workers_bundle(work.bundle, work.address)
        self._predictor = load_with_labels(
            bundle, work.candidates, engine=plan.job.engine, lanes=work.lanes, checksum=plan.job.bundle
        )
        self._spec = spec_of(self._predictor, work.top_k, work.targets, work.dimensions)
        self._required = self._predictor.spec.required
        self._top = top_of(self._predictor, work.top_k)
        self._legible = Tokenizer.from_bundle(bundle).reads
        self._added = AddedColumns(plan.prefix, plan.added, plan.taken)

    def ready(self) -> None:
        """Nothing; who waits for it knows that the model is loaded."""

    def shard(self, number: int, watch: Watch = unwatched) -> LabelTally:
        """Compute a shard, counted from 1, and put its file in its place.

        Args:
            number: of the shard.
            watch: is called with the number of rows that were answered since the last call.

        Raises:
            DataError: the input is not what it was, or the output cannot be written.
        """
        plan, shard = self._plan, self._plan.shards[number - 1]
        tally, texts = LabelTally(), plan.tables[shard.file].texts
        rows = self._rows(shard)
        inputs = ((input_of(row, texts), row) for row in rows)
        name = self._inputs.shown(plan.inputs[shard.file].name)
        with ExitStack() as stack:
            stack.enter_context(closing(rows))
            path = stack.enter_context(self._place.writing(plan.name(number)))
            writer = stack.enter_context(
                open_writer(path, format=plan.job.format, columns=[*plan.columns, *self._added.columns])
            )
            answer = partial(self._predictor.predict, spec=self._spec)
            for row, prediction in predict_stream(answer, inputs, first_rows=shard.window_rows):
                writer.write(row.values, self._added.values(row, prediction, name, self._top))
                tally.add(prediction)
                watch(1)
            if tally.texts != shard.rows:
                raise changed(name)
        return tally

    def _rows(self, shard: Shard) -> Generator[Row]:
        """The good rows of a shard, as they were good when the shards were cut."""
        plan, settings = self._plan, self._work.settings
        file, table = plan.inputs[shard.file], plan.tables[shard.file]
        name, kind = self._inputs.shown(file.name), format_of(file.name, settings.format)
        place = "row" if kind == "parquet" else "line"
        outline, bad = Outline(name, plan.job.format, place), BadRows(name, place)
        with self._inputs.open(file.name) as stream:
            rows = range_rows(
                stream, name, shard.part, table.preamble, format=kind, encoding=settings.encoding,
                delimiter=settings.delimiter, header=not settings.no_header,
            )  # fmt: skip
            checked = (checked_row(row, table.texts, self._legible, outline, self._required) for row in rows)
            yield from good_rows(checked, bad, skip=settings.skip_bad_rows)
