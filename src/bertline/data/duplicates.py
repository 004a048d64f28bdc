"""Find texts of one list that repeat, exactly or nearly, a text of another, and so would inflate an evaluation.

Exact means equal after ``normalise``. Near means a resemblance (Broder 1997, "On the resemblance and containment of
documents": the Jaccard similarity of the sets of shingles) of 0.8 or more, the threshold of Lee et al. 2022
("Deduplicating training data makes language models better"). The shingles are 5 characters, which Leskovec,
Rajaraman and Ullman ("Mining of massive datasets", 3.2.2) give for short documents: they need no word
boundaries, so they serve languages without spaces, and a changed letter costs five shingles of a hundred
where it would cost a word three of twenty. Below 20 characters a letter can be the meaning ("gate 1", "gate
11"): there only exact matches count.

Pairs are proposed by MinHash with bands (Broder 1997; Indyk and Motwani 1998), and each is verified on the
sets of shingles, so there are no false reports. A pair of similarity 0.8 is missed 3 times in 100,000.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.8
SHINGLE_CHARACTERS = 5
SHORTEST_NEAR_CHARACTERS = 20

BANDS, BAND_HASHES = 20, 4  # unproposed at similarity s: (1 − s⁴)²⁰, 2.6e-5 at 0.8; proposed at 0.1: 2e-3
HASHES = BANDS * BAND_HASHES
# The share of equal hashes estimates the similarity with a standard error of √(0.8 · 0.2 / 80) = 0.045 at
# 0.8; pairs that are 4.5 standard errors below the threshold are not looked at.
PROMISING = 0.6
BUCKET_REFERENCES = 32  # texts from one template fill a bucket; a candidate is compared with this many
VERIFIED = 32  # most promising references that are verified for a candidate
CHUNK_CHARACTERS = 2**16  # at a time: the hashes of a chunk stay in the processor's cache

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """``candidates[candidate]`` repeats ``references[reference]``; ``similarity`` is 1 for an exact one."""

    candidate: int
    reference: int
    kind: Literal["exact", "near"]
    similarity: float


def cross_duplicates(reference: Sequence[str], candidates: Sequence[str]) -> list[Duplicate]:
    """The candidates that repeat a reference text, each once, with one such reference.

    >>> cross_duplicates(["A fine film."], ["a bore", "a fine  film"])
    [Duplicate(candidate=1, reference=0, kind='exact', similarity=1.0)]
    """
    first: dict[str, int] = {}
    for i, text in enumerate(reference):
        first.setdefault(normalise(text), i)
    normalised = [normalise(text) for text in candidates]
    exact = [Duplicate(i, first[text], "exact", 1.0) for i, text in enumerate(normalised) if text in first]
    known = {text: i for text, i in first.items() if len(text) >= SHORTEST_NEAR_CHARACTERS}
    others = [i for i, text in enumerate(normalised) if text not in first and len(text) >= SHORTEST_NEAR_CHARACTERS]
    places = list(known.values())
    near = [
        Duplicate(others[i], places[j], "near", similarity)
        for i, j, similarity in _near(list(known), [normalised[i] for i in others])
    ]
    return sorted([*exact, *near], key=lambda one: one.candidate)


class _Blanks(dict[int, int]):
    """Maps punctuation, separators and control characters to spaces, and other characters to themselves."""

    def __missing__(self, code: int) -> int:
        self[code] = ord(" ") if unicodedata.category(chr(code))[0] in "PZC" else code
        return self[code]


_BLANKS = _Blanks()


def normalise(text: str) -> str:
    """A text without differences of case, width (NFKC), punctuation and white space. Symbols stay.

    A text of nothing but punctuation keeps it: ":)" is not ":(".

    >>> normalise("  It’s “GREAT” … 👍"), normalise(":)")
    ('it s great 👍', ':)')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_BLANKS).split()) or " ".join(folded.split())


def jaccard(one: str, other: str) -> float:
    """The resemblance of two texts of at least ``SHINGLE_CHARACTERS`` characters, 0 to 1."""
    a, b = _shingles(one), _shingles(other)
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


def _shingles(text: str) -> set[str]:
    return {text[i : i + SHINGLE_CHARACTERS] for i in range(len(text) - SHINGLE_CHARACTERS + 1)}


def _near(references: Sequence[str], candidates: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Candidate, reference and similarity of near duplicates, one for each candidate that has any."""
    if not references or not candidates:
        return
    hashes, others = _minhashes(candidates), _minhashes(references)
    pairs = _promising(hashes, others, _proposed(hashes, others))
    for candidate, some in groupby(pairs.tolist(), key=lambda pair: pair[0]):
        for _, reference in [*some][:VERIFIED]:
            similarity = jaccard(candidates[candidate], references[reference])
            if similarity >= THRESHOLD:
                yield candidate, reference, similarity
                break


def _minhashes(texts: Sequence[str]) -> Hashes:
    """The smallest hash of each text's shingles for each hash function: [texts, HASHES].

    The hash functions are x·a + b modulo 2⁶⁴ with odd a, as in Dietzfelbinger et al. 1997.
    """
    rng = np.random.default_rng(0)
    factors = rng.integers(2**63, size=HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = rng.integers(2**63, size=HASHES, dtype=np.uint64) * np.uint64(2)
    result = np.empty((len(texts), HASHES), dtype=np.uint64)
    for start, stop in _chunks(texts):
        shingles, starts = _hashed_shingles(texts[start:stop])
        for i in range(HASHES):
            result[start:stop, i] = np.minimum.reduceat(shingles * factors[i] + offsets[i], starts)
    return result


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = characters = 0
    for i, text in enumerate(texts):
        characters += len(text)
        if characters >= CHUNK_CHARACTERS:
            yield start, i + 1
            start, characters = i + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _hashed_shingles(texts: Sequence[str]) -> tuple[Hashes, Indices]:
    """The shingles of all texts as 64-bit hashes, one text after the other, and where each text's begin."""
    encoded = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(encoded, dtype="<u4").astype(np.uint64)
    lengths = np.array([len(text) for text in texts])
    ends = np.cumsum(lengths)
    count = len(codes) - SHINGLE_CHARACTERS + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for i in range(SHINGLE_CHARACTERS):
        hashes = _mixed(hashes + codes[i : i + count])
    inside = np.ones(count, dtype=bool)  # shingles that span two texts do not count
    for back in range(1, SHINGLE_CHARACTERS):
        inside[ends[:-1] - back] = False
    sizes = lengths - SHINGLE_CHARACTERS + 1
    return hashes[inside], np.cumsum(sizes) - sizes


def _mixed(x: Hashes) -> Hashes:
    """A bijection of 64 bits that spreads each bit over many: one round of the finaliser of MurmurHash3."""
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return x ^ (x >> np.uint64(33))


def _proposed(candidates: Hashes, references: Hashes) -> Indices:
    """Pairs (candidate, reference) that agree in all hashes of a band, sorted: [pairs, 2]."""
    pairs = [np.empty(0, dtype=np.int64)]
    for band in range(BANDS):
        columns = slice(band * BAND_HASHES, (band + 1) * BAND_HASHES)
        keys, sought = _band_keys(references[:, columns]), _band_keys(candidates[:, columns])
        order = np.argsort(keys, kind="stable")
        left = np.searchsorted(keys, sought, "left", sorter=order)
        right = np.searchsorted(keys, sought, "right", sorter=order)
        sizes = np.minimum(right - left, BUCKET_REFERENCES)
        which = np.repeat(np.arange(len(candidates)), sizes)
        within = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        pairs.append(which * len(references) + order[left[which] + within])
    codes = np.unique(np.concatenate(pairs))
    return np.stack(np.divmod(codes, len(references)), axis=1)


def _band_keys(hashes: Hashes) -> Hashes:
    keys = np.zeros(len(hashes), dtype=np.uint64)
    for column in hashes.T:
        keys = _mixed(keys ^ column)
    return keys


def _promising(candidates: Hashes, references: Hashes, pairs: Indices) -> Indices:
    """The pairs whose hashes agree often enough to be verified, by candidate, most similar first."""
    agreement = np.empty(len(pairs))
    for start in range(0, len(pairs), CHUNK_CHARACTERS):
        some = slice(start, start + CHUNK_CHARACTERS)
        i, j = pairs[some].T
        agreement[some] = (candidates[i] == references[j]).mean(axis=1)
    promising = agreement >= PROMISING
    pairs, agreement = pairs[promising], agreement[promising]
    return pairs[np.lexsort((pairs[:, 1], -agreement, pairs[:, 0]))]
