"""The linear model of words: TF-IDF of the pieces of words and of pairs of neighbours, in NumPy alone.

It reads the ids that the encoder reads, so tokenizer, truncation, batches and explanations are the same for both.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bertline.bundle.engine import WORDS, WORDS_FILE
from bertline.data.batching import Batch
from bertline.errors import BundleError

Array = np.ndarray[Any, Any]
Ids = Int[Array, "batch tokens"]
Weighed = tuple[Int[Array, " weighed"], Int[Array, " weighed"], Float[Array, " weighed"]]

PAIR_BITS = 32  # of the second id in the key of a pair


def keys_of(ids: Ids) -> Int[Array, "batch keys"]:
    """The key of each id, which is the id itself, and of each two neighbours: pairs come after all ids.

    >>> keys_of(np.array([[5, 7]])).tolist() == [[5, 7, (5 + 1) * 2**32 + 7]]
    True
    """
    pairs = ((ids[:, :-1] + 1) << PAIR_BITS) | ids[:, 1:]
    return np.concatenate([ids, pairs], axis=1)


def ids_in(keys: Int[Array, " keys"]) -> tuple[Int[Array, " keys"], Int[Array, " keys"]]:
    """The first and the last id of each key, which are the same where it is of a single one."""
    last = keys & (2**PAIR_BITS - 1)
    return np.where(keys >> PAIR_BITS, (keys >> PAIR_BITS) - 1, last), last


@dataclass(frozen=True, slots=True)
class Terms:
    """What a linear model knows, and how much each weighs.

    Attributes:
        keys: of pieces and pairs, ascending; none has a special id, such as that of padding.
        idf: of each, the inverse document frequency.
    """

    keys: Int[Array, " terms"]
    idf: Float[Array, " terms"]

    def weigh(self, ids: Ids) -> Weighed:
        """The terms of each text: its row, the term's place in ``keys``, and the weight.

        A weight is (1 + ln count) × idf, divided by the length of the text's vector, as scikit-learn's TfidfVectorizer
        has it with ``sublinear_tf``.
        """
        keys = keys_of(ids)
        places = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        rows, columns = np.nonzero(self.keys[places] == keys)
        cells, counts = np.unique(rows * len(self.keys) + places[rows, columns], return_counts=True)
        rows, terms = np.divmod(cells, len(self.keys))
        weights = (1 + np.log(counts)) * self.idf[terms]
        lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(ids)))
        return rows, terms, weights / lengths[rows]


@dataclass(frozen=True, slots=True)
class WordsBackend:
    """A logistic regression per label on weighed terms.

    A logit is the logarithm of what a label's own regression says, so that the softmax of all is the probability of
    scikit-learn's OneVsRestClassifier.

    Attributes:
        terms: that it knows.
        weights: of each term for each label.
        intercepts: of each label.
        scale: multiplies the logits, so that the temperature of the bundle suits them.
    """

    terms: Terms
    weights: Float[Array, "terms labels"]
    intercepts: Float[Array, " labels"]
    scale: float = 1.0

    @property
    def lanes(self) -> int:
        """One: a batch takes less time than a thread's turn."""
        return 1

    @property
    def outputs(self) -> frozenset[str]:
        """Logits alone."""
        return frozenset({"logits"})

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> Float[Array, "batch labels"]:
        """The logits of each text, fp32.

        Raises:
            BundleError: another output is requested.
        """
        if output != "logits":
            raise BundleError(
                f"the engine {WORDS} has no {output}, only logits: use the encoder, without --engine {WORDS}"
            )
        rows, terms, weights = self.terms.weigh(batch.ids)
        decisions = np.tile(self.intercepts.astype(np.float64), (len(batch.ids), 1))
        ends = np.searchsorted(rows, np.arange(1, len(batch.ids)))
        for decision, own, known in zip(decisions, np.split(weights, ends), np.split(terms, ends), strict=True):
            decision += own @ self.weights[known]
        return np.asarray(-self.scale * np.logaddexp(0, -decisions), dtype=np.float32)

    def of(self, pieces: Sequence[Batch]) -> list[Float[Array, " labels"]]:
        """The logits of each text of batches, in their order."""
        return [row for batch in pieces for row in self.compute(batch)]

    def scaled(self, factor: float) -> WordsBackend:
        """The same with logits so many times as large."""
        return replace(self, scale=self.scale * factor)

    def write(self, bundle: Path) -> None:
        """Write it into the bundle at ``bundle``."""
        path = bundle / WORDS_FILE
        path.parent.mkdir(exist_ok=True)
        np.savez(
            path,
            keys=self.terms.keys,
            idf=self.terms.idf,
            weights=self.weights,
            intercepts=self.intercepts,
            scale=np.array(self.scale),
        )


def read_words(bundle: Path) -> WordsBackend:
    """The linear model of a bundle that keeps one.

    Raises:
        BundleError: the file is not what ``WordsBackend.write`` writes.
    """
    path = bundle / WORDS_FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            keys, idf, weights, intercepts = (file[name] for name in ("keys", "idf", "weights", "intercepts"))
            scale = float(file["scale"])
        if not len(keys) or idf.shape != keys.shape or weights.shape != (len(keys), len(intercepts)):
            raise ValueError("its arrays do not belong together")
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a linear model of words ({error}): write the bundle again") from error
    return WordsBackend(Terms(keys, idf), weights, intercepts, scale)
