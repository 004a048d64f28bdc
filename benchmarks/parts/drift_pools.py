"""Models for the benchmarks of drift, and what each of them makes of texts that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.tasks import BUILD, MODEL
from bertline.bundle.reference import read_token_counts
from bertline.inference import load_predictor
from bertline.lifecycle.drift.window import Window, observe
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import reuters, rotten_tomatoes
from examples.tables import write_table

Rows = list[tuple[str, str]]  # text and label
TOKENS = 128
FOLDER = BUILD / "drift"


@dataclass(frozen=True)
class Pool:
    """Texts of one source that a model was not trained on, as the model sees them, and their labels."""

    window: Window
    labels: tuple[str, ...]

    def of(self, *labels: str) -> np.ndarray[Any, Any]:
        """The indices of the texts with one of some labels."""
        return np.flatnonzero(np.isin(self.labels, labels))


def sources() -> dict[str, Rows]:
    """All rows of each source, in an order that is random and fixed."""
    stories = [(text, topic) for part in ("train", "test") for text, topic in reuters.stories(part)]
    rows = {"r8": stories, "rt": rotten_tomatoes.sentences(), "imdb": rotten_tomatoes.imdb_reviews()}
    return {name: [own[i] for i in np.random.default_rng(0).permutation(len(own))] for name, own in rows.items()}


# Rows that train, of the first; the others are never trained on. One epoch: the tests need a model, not the best one.
TRAINED = {"r8": 2_500, "rt": 4_000, "imdb": 4_000}
POOLED = {"r8": 5_100, "rt": 4_500, "imdb": 10_500}


def bundle(name: str) -> Path:
    """A classifier of one source, trained once."""
    out = FOLDER / name
    if not (out / "bertline.json").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        data = FOLDER / f"{name}.csv"
        write_table(data, sources()[name][: TRAINED[name]])
        settings = TrainSettings(model=MODEL, max_tokens=TOKENS, epochs=2, keep_duplicates=True)
        train(str(data), out, settings, Silent(), resume=True)
    return out


@cache
def pool(model: str, source: str) -> Pool:
    """What a model makes of a source's other rows, computed once."""
    rows = sources()[source][TRAINED[source] :][: POOLED[source] if model == source else 2_000]
    kept = FOLDER / f"{model}-{source}.npz"
    if not kept.exists():
        path = bundle(model)
        common = frozenset(read_token_counts(path))
        inputs = [text for text, _ in rows]
        seen = observe(load_predictor(path), load_predictor(path, output="embedding"), inputs, common=common)
        arrays = {f"answer:{name}": column for name, column in seen.answers.items()}
        arrays |= {f"property:{name}": column for name, column in seen.properties.items()}
        np.savez(kept, embeddings=seen.embeddings, **arrays)
    with np.load(kept) as arrays:
        named = {kind: {k.removeprefix(kind): arrays[k] for k in arrays.files if k.startswith(kind)} for kind in KINDS}
        embeddings = arrays["embeddings"]
    window = Window(
        [text for text, _ in rows], range(1, len(rows) + 1), named["answer:"], embeddings, named["property:"]
    )
    return Pool(window, tuple(label for _, label in rows))


KINDS = ("answer:", "property:")


if __name__ == "__main__":
    for one, other in (("rt", "rt"), ("r8", "r8"), ("imdb", "imdb"), ("rt", "imdb"), ("imdb", "rt"), ("r8", "rt")):
        print(one, other, len(pool(one, other).labels), flush=True)
