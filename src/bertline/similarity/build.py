"""Make an index: read the table, then embed its texts; a run that was stopped can go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bertline.bundle.output import Output
from bertline.bundle.tree import sha256
from bertline.bundle.verify import read_manifest
from bertline.data.formats import name_of
from bertline.data.settings import TableSettings
from bertline.data.table import read_rows
from bertline.destination import as_destination_error, check_room, claim, replace_file
from bertline.errors import DataError, DestinationError, Interrupted
from bertline.inference import TextClassifier, load_predictor
from bertline.similarity.index import REPORT, ROWS, VECTORS, Facts, Index, fingerprint_of, is_index, open_index
from bertline.similarity.notify import Notify, quiet
from bertline.similarity.rows import Stored, store_rows
from bertline.statistics.activation import normalised
from bertline.tasks.embed.spec import as_embedder
from bertline.text.tokenizer import Tokenizer

WINDOW_ROWS = 1024  # texts embedded between two records of the position
POSITION = "position.json"
WHAT = "the index"
_NUMBER_BYTES = 4

Load = Callable[[], TextClassifier]


@dataclass(frozen=True, slots=True)
class _Position:
    """How far an unfinished run is, and what it is a run of."""

    fingerprint: str
    table: str
    dimensions: int
    rows: int = 0
    cut: int = 0

    def save(self, directory: Path) -> None:
        replace_file(directory / POSITION, json.dumps(asdict(self)).encode())


def build_index(
    bundle: Path,
    source: str,
    out: Path,
    settings: TableSettings,
    notify: Notify = quiet,
    *,
    resume: bool = False,
    overwrite: bool = False,
    embedder: Load | None = None,
    dimensions: int | None = None,
) -> Index:
    """Embed the texts of a table and write an index to ``out``.

    Args:
        bundle: of the model that embeds.
        source: a table with a text column, a .txt file with a text on each line, or ``-``.
        out: directory of the index.
        settings: how the table is read.
        notify: gets the rows that are read, then those that are embedded.
        resume: continue an unfinished run, if there is one; a finished index of the same texts is opened.
        overwrite: replace an index, or an unfinished run.
        embedder: loads the bundle's model, for a caller that uses it too.
        dimensions: keep only the first so many, which the model was trained for; by default all.

    Raises:
        UsageError: the model was not trained to be cut to ``dimensions``.
        DataError: the table or a row cannot be used, or is not what the unfinished run has read.
        BundleError: the bundle cannot be used.
        DestinationError: ``out`` is taken or cannot be written, an unfinished run is in the way, or a finished index
            that is to be resumed has another model or table.
        Interrupted: Ctrl-C; ``resume`` continues.
    """
    output, is_finished = Output(out, "index", REPORT), resume and not overwrite and is_index(out)
    if not is_finished:
        output.check(overwrite=overwrite)
    manifest = read_manifest(bundle)
    as_embedder(manifest.task).check_dimensions(dimensions, manifest.name)
    with claim(out, WHAT), as_destination_error(out, WHAT), _working(out, resume=resume, overwrite=overwrite) as at:
        stored = store_rows(source, settings, Tokenizer.from_bundle(bundle).reads, at, notify)
        predictor = load_predictor(bundle, output="embedding") if embedder is None else embedder()
        size = dimensions or predictor.dimensions
        if is_finished:
            return _same_index(out, at, fingerprint_of(manifest), stored, size)
        check_room(out, WHAT, stored.rows * size * _NUMBER_BYTES)
        position = _position(at, fingerprint_of(manifest), source, size)
        end = _embed(predictor, _texts(at, stored), position, stored.rows, at, notify)
        facts = Facts(
            model=manifest.name,
            fingerprint=end.fingerprint,
            source=name_of(source, "input"),
            text_column=stored.text_column,
            place=stored.place,
            rows=stored.rows,
            row_bytes=(at / ROWS).stat().st_size,
            dimensions=size,
            skipped=len(stored.bad),
            cut=end.cut,
        )
        (at / POSITION).unlink()
        output.put(at, facts.model_dump())
    return open_index(out)


@contextmanager
def _working(out: Path, *, resume: bool, overwrite: bool) -> Iterator[Path]:
    """The directory, beside ``out``, of an unfinished run; it stays if there is something to go on with."""
    at = out.resolve().with_name(f".{out.resolve().name}.indexing")
    if (at / POSITION).exists() and not (resume or overwrite):
        raise DestinationError(
            f"an unfinished index is in {at}: pass --resume to continue it or --overwrite to start again"
        )
    if not resume:
        shutil.rmtree(at, ignore_errors=True)
    at.mkdir(exist_ok=True)
    try:
        yield at
    finally:
        if not (at / POSITION).exists():
            shutil.rmtree(at, ignore_errors=True)


def _same_index(out: Path, at: Path, fingerprint: str, stored: Stored, dimensions: int) -> Index:
    """The finished index at ``out``, which must be of this model and of the rows that were just stored."""
    index = open_index(out)
    pairs = {
        "model": (index.facts.fingerprint, fingerprint),
        "table": (sha256(out / ROWS), sha256(at / ROWS)),
        "text column": (index.facts.text_column, stored.text_column),
        "number of dimensions": (index.facts.dimensions, dimensions),
    }
    if changed := [name for name, (before, now) in pairs.items() if before != now]:
        raise DestinationError(
            f"{out} has an index, and its run had another {', '.join(changed)}: give another --out, or --overwrite to "
            "replace it"
        )
    return index


def _position(at: Path, fingerprint: str, source: str, dimensions: int) -> _Position:
    """Where to go on.

    Raises:
        DataError: the unfinished run is one of another table or model, or of other dimensions.
    """
    start = _Position(fingerprint, sha256(at / ROWS), dimensions)
    if not (at / POSITION).exists():
        return start
    kept = json.loads((at / POSITION).read_text(encoding="utf-8"))
    before = _Position(**{"dimensions": dimensions, **kept})  # earlier versions kept none
    for what, one, other in (
        ("model", before.fingerprint, fingerprint),
        (name_of(source, "input"), before.table, start.table),
        ("number of dimensions", str(before.dimensions), str(start.dimensions)),
    ):
        if one != other:
            raise DataError(
                f"the unfinished index in {at} cannot be continued, because the {what} has changed: pass --overwrite "
                "to start again"
            )
    return before


def _texts(at: Path, stored: Stored) -> Iterator[str]:
    return (str(row.values[stored.text_column]) for row in read_rows(at / ROWS, format="jsonl"))  # type: ignore[union-attr]


def _embed(
    predictor: TextClassifier, texts: Iterable[str], position: _Position, rows: int, at: Path, notify: Notify
) -> _Position:
    left = islice(texts, position.rows, None)
    with _appended(at / VECTORS, rows, position.dimensions, position.rows) as file:
        try:
            while some := [*islice(left, WINDOW_ROWS)]:
                readings, arrays = predictor.pieces(some, "embedding")
                means = np.array([np.mean(own, axis=0, dtype=np.float64) for own in arrays])
                vectors = normalised(means[:, : position.dimensions])
                file.write(vectors.astype("<f4").tobytes())
                file.flush()
                os.fsync(file.fileno())
                cut = position.cut + sum(reading.cut > 0 for reading in readings)
                position = replace(position, rows=position.rows + len(some), cut=cut)
                position.save(at)
                notify("embedding", position.rows, rows)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped after {position.rows:,} of {rows:,} rows: run the same command with --resume to continue"
            ) from None
    return position


@contextmanager
def _appended(path: Path, rows: int, dimensions: int, done: int) -> Iterator[BinaryIO]:
    """A .npy file of float32, positioned after the rows that are done."""
    if not done:
        with path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimensions)}
            np.lib.format.write_array_header_1_0(file, header)
    with path.open("rb+") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.truncate(file.tell() + done * dimensions * _NUMBER_BYTES)
        file.seek(0, os.SEEK_END)
        yield file
