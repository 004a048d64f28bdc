"""Two bundles, or two engines of one, compared on this machine."""

from __future__ import annotations

from bertline.data.formats import Location
from bertline.errors import UsageError
from bertline.lifecycle.comparison.compared import ComparedTable, compare
from bertline.lifecycle.comparison.latency import Latencies, timed_places
from bertline.lifecycle.comparison.rows import read_rows
from bertline.lifecycle.comparison.settings import CompareSettings
from bertline.lifecycle.gate.costs import times_ms
from bertline.lifecycle.gate.rows import Contestant, check_alike, outputs_of

MOST_TIMED = 60  # texts, five times each


def compare_bundles(first: Contestant, second: Contestant, data: Location, settings: CompareSettings) -> ComparedTable:
    """Compare the answers of two bundles to the rows of a table, and their speed for single texts.

    Args:
        first: A, the one in use if there is one.
        second: B, which may replace it.
        data: the table's path.
        settings: how it is read.

    Raises:
        UsageError: both are the same, or do not give the same kind of answers.
        DataError: as ``read_rows``.
        SettingsError: as ``read_rows``.
    """
    engine = first.predictor.engine
    if (first.manifest.checksum, engine) == (second.manifest.checksum, second.predictor.engine):
        raise UsageError(
            f"both are {first.title} with the engine {engine}: name another bundle, or two of its engines with "
            "--engine and --second-engine"
        )
    check_alike((first.title, first.predictor.spec), (second.title, second.predictor.spec))
    rows = read_rows(data, settings, first.predictor.spec, first.title)
    inputs = [one.input for one in rows.dataset.examples]
    timed = [inputs[place] for place in timed_places(len(inputs), MOST_TIMED)]
    latencies = Latencies.of(*times_ms(first.predictor, second.predictor, timed))
    outputs = [outputs_of(one.predictor, inputs) for one in (first, second)]
    return compare(outputs[0], outputs[1], rows, paths=(first.path, second.path), latencies=latencies)
