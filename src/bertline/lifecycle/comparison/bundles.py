"""Two bundles, or two engines of one, compared on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertline.bundle.verify import read_manifest
from bertline.data.formats import Location
from bertline.errors import UsageError
from bertline.inference import TextClassifier, load_predictor
from bertline.lifecycle.comparison.compared import ComparedTable, compare
from bertline.lifecycle.comparison.latency import Latencies, timed_places
from bertline.lifecycle.comparison.rows import read_rows
from bertline.lifecycle.comparison.settings import CompareSettings
from bertline.lifecycle.gate.costs import times_ms
from bertline.lifecycle.gate.rows import check_alike, outputs_of

MOST_TIMED = 60  # texts, five times each


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        path: of its bundle.
        name: of the bundle.
        digest: of the bundle.
        predictor: loaded, with the engine that answers.
    """

    path: Path
    name: str
    digest: str
    predictor: TextClassifier

    @classmethod
    def of(cls, path: Path, engine: str | None) -> Side:
        """Load a bundle with one of its engines, by default the first.

        Raises:
            BundleError: it cannot be loaded.
            UsageError: it has no such engine.
        """
        manifest = read_manifest(path)
        return cls(path, manifest.name, manifest.checksum, load_predictor(path, engine=engine))

    @property
    def engine(self) -> str:
        """That answers."""
        return self.predictor.engine

    @property
    def title(self) -> str:
        """For people: the path of a fetched bundle tells them nothing."""
        return f"{self.name} ({self.digest[:12]}, {self.engine})"


def compare_bundles(first: Side, second: Side, data: Location, settings: CompareSettings) -> ComparedTable:
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
    if (first.digest, first.engine) == (second.digest, second.engine):
        raise UsageError(
            f"both are {first.title}: name another bundle, or two of its engines with --engine and --second-engine"
        )
    check_alike((first.title, first.predictor.spec), (second.title, second.predictor.spec))
    rows = read_rows(data, settings, first.predictor.spec, first.title)
    inputs = [one.input for one in rows.dataset.examples]
    timed = [inputs[place] for place in timed_places(len(inputs), MOST_TIMED)]
    latencies = Latencies.of(*times_ms(first.predictor, second.predictor, timed))
    outputs = [outputs_of(one.predictor, inputs) for one in (first, second)]
    return compare(outputs[0], outputs[1], rows, paths=(first.path, second.path), latencies=latencies)
