"""Embedded texts in a program: nearest ones, clusters, duplicates."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bertline.data.settings import TableSettings
from bertline.errors import UsageError
from bertline.inference import load_predictor
from bertline.library.progress import listener
from bertline.library.texts import checked_texts
from bertline.library.verbs import settings_of, with_settings
from bertline.registry.resolve import open_bundle
from bertline.similarity import THRESHOLD
from bertline.similarity.build import build_index
from bertline.similarity.clusters import Clusters, clusters_of
from bertline.similarity.duplicates import Duplicates, duplicates_of
from bertline.similarity.index import Index as Directory
from bertline.similarity.nearest import Neighbour, neighbours_of
from bertline.similarity.notify import Notify
from bertline.similarity.opened import open_for
from bertline.text.tokenizer import Tokenizer
from bertline.text.unread import why_unread

_EVERY = 10_000  # rows between two lines about progress


class Index:
    """Texts with their embeddings.

    Args:
        stored: on disk.
        bundle: of the model that embedded them.
    """

    def __init__(self, stored: Directory, bundle: Path) -> None:
        self._stored, self._bundle = stored, bundle
        self._embedder: Any = None

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._stored.path

    @property
    def vectors(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The embeddings [rows, dimensions], each of length 1, mapped from disk."""
        return self._stored.vectors

    def __len__(self) -> int:
        return len(self._stored.vectors)

    def rows(self) -> Iterator[Mapping[str, object]]:
        """The rows of the table in order, with all their columns."""
        return (row.values for row in self._stored.rows())

    def nearest(self, texts: Iterable[str], *, top_k: int = 10) -> list[list[Neighbour]]:
        """The texts that are nearest to each of ``texts``, the most similar first.

        Every text of the index is compared. A neighbour has its ``similarity`` (the cosine), its ``line`` in the table,
        its ``text``, and the ``values`` of all columns.

        Args:
            texts: as for ``Model.predict``.
            top_k: neighbours of each text.

        Raises:
            XXError: the model cannot be loaded.
        """
        if self._embedder is None:
            self._embedder = load_predictor(self._bundle, output="embedding")
        given = _legible(texts, "nearest", self._embedder.tokenizer)
        return neighbours_of(self._stored, self._embedder.embed(given), top_k)

    def clusters(self, number: int | None = None, *, seed: int = 0) -> Clusters:
        """Groups of texts about the same things, the largest first, each named by its words.

        Args:
            number: of clusters; by default the one from 2 to 64 that separates them best (silhouette).
            seed: equal seeds give equal clusters.
        """
        return clusters_of(self._stored, number, seed=seed)

    def duplicates(self, threshold: float = THRESHOLD) -> Duplicates:
        """Groups of texts that mean the same.

        Args:
            threshold: lowest cosine of two such texts.

        Raises:
            UsageError: the threshold is not above 0 and at most 1.
        """
        return duplicates_of(self._stored, threshold)

    def __repr__(self) -> str:
        facts = self._stored.facts
        return f"<Index of {facts.rows:,} texts by {facts.model}: {facts.dimensions} dimensions>"


@with_settings(TableSettings, Index)
def index(
    bundle: str | Path,
    data: str | Path | Iterable[str],
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    dimensions: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> Index:
    """Embed texts, to find nearest ones, clusters and duplicates.

    Args:
        bundle: of the model that embeds. One that was trained for it, or imported, embeds best.
        data: a table with a text column or a .txt file with a text on each line; a directory that ``index`` wrote,
            which is opened; or texts.
        out: directory to write; by default a temporary one, which goes with the index.
        resume: continue an unfinished run, if there is one; a finished index of the same texts is opened.
        overwrite: replace an index, or an unfinished run.
        dimensions: keep only the first so many, which the model was trained for; by default all.
        progress: write what happens to standard error, line by line.
        **settings: settings of tables.

    Raises:
        SettingsError: a setting is unknown or out of range.
        UsageError: the model was not trained for so few dimensions, or ``dimensions`` is given for an index.
        DataError: the table cannot be used, or the index was made with another model.
        BundleError: the bundle cannot be used.
        DestinationError: ``out`` cannot be written.
        Interrupted: Ctrl-C; ``resume=True`` continues.
    """
    loaded, directory = settings_of(index, TableSettings, settings), open_bundle(bundle)
    if isinstance(data, str | Path) and Path(data).is_dir():
        if dimensions is not None:
            raise UsageError(f"dimensions is set, but {data} is an index, which has its own: leave it out")
        return Index(open_for(directory, Path(data), loaded), directory)
    temporary = tempfile.mkdtemp(prefix="bertline-")
    try:
        if not isinstance(data, str | Path):
            data = _stored(_legible(data, "index", Tokenizer.from_bundle(directory)), Path(temporary))
        place = Path(temporary) / "index" if out is None else Path(out)
        notify = _told(progress)
        how: Any = {"resume": resume, "overwrite": overwrite, "dimensions": dimensions}
        stored = build_index(directory, str(data), place, loaded, notify, **how)
        made = Index(stored, directory)
    except BaseException:
        shutil.rmtree(temporary)
        raise
    weakref.finalize(made, shutil.rmtree, temporary, ignore_errors=True)
    return made


def _legible(texts: Iterable[str], verb: str, tokenizer: Tokenizer) -> list[str]:
    given = checked_texts(texts, verb)
    for place, text in enumerate(given):
        if not tokenizer.reads(text):
            raise UsageError(f"texts[{place}] {why_unread(text)}: leave it out")
    return given


def _stored(texts: list[str], place: Path) -> Path:
    path = place / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def _told(progress: bool) -> Notify:
    note, last = listener(progress).note, [0]

    def notify(what: str, done: int, of: int | None) -> None:
        if of is not None and (done == of or done // _EVERY > last[0] // _EVERY):
            note(f"{what}: {done:,} of {of:,} rows")
        last[0] = done

    return notify
