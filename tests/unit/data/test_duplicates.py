"""Duplicates: what is reported is so, and what is there is reported."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.data import duplicates
from bertline.data.duplicates import (
    BAND_HASHES,
    BANDS,
    SHORTEST_NEAR_CHARACTERS,
    THRESHOLD,
    Duplicate,
    cross_duplicates,
    jaccard,
    normalise,
)

WORDS = ["the", "film", "is", "a", "fine", "piece", "of", "work", "with", "some", "bad", "scenes", "and", "good"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=0, max_size=25).map(" ".join)
TEXTS = st.text() | SENTENCES


def sentences(number: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(2_000)]
    return [" ".join(draw.choices(words, k=draw.randint(8, 30))) for _ in range(number)]


@given(reference=st.lists(TEXTS, max_size=8), candidates=st.lists(TEXTS, max_size=8))
def test_the_report_is_true_and_lists_each_candidate_once(reference: list[str], candidates: list[str]) -> None:
    found = cross_duplicates(reference, candidates)
    assert [one.candidate for one in found] == sorted({one.candidate for one in found})
    for one in found:
        a, b = normalise(reference[one.reference]), normalise(candidates[one.candidate])
        if one.kind == "exact":
            assert (a == b, one.similarity) == (True, 1.0)
        else:
            assert a != b
            assert min(len(a), len(b)) >= SHORTEST_NEAR_CHARACTERS
            assert one.similarity == jaccard(a, b) >= THRESHOLD


@given(reference=st.lists(TEXTS, max_size=8), candidates=st.lists(TEXTS, max_size=8))
def test_every_exact_duplicate_is_reported_with_its_first_reference(
    reference: list[str], candidates: list[str]
) -> None:
    first = {normalise(text): i for i, text in reversed(list(enumerate(reference)))}
    expected = {(i, first[normalise(text)]) for i, text in enumerate(candidates) if normalise(text) in first}
    found = cross_duplicates(reference, candidates)
    assert {(one.candidate, one.reference) for one in found if one.kind == "exact"} == expected


@settings(max_examples=30)
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_a_list_repeats_itself(texts: list[str]) -> None:
    assert [one.candidate for one in cross_duplicates(texts, texts)] == list(range(len(texts)))


def test_every_near_duplicate_among_many_texts_is_reported() -> None:
    reference = sentences(200, seed=0)
    draw = random.Random(1)
    candidates = sentences(50, seed=2)
    for text in draw.sample(reference, 100):
        words = text.split()
        words[draw.randrange(len(words))] = draw.choice(["other", "new", "wo"])
        candidates.append(" ".join(words))
    similar = {
        (i, j)
        for i, one in enumerate(candidates[50:], 50)
        for j, other in enumerate(reference)
        if jaccard(one, other) >= THRESHOLD
    }
    assert len(similar) > 50
    found = {(one.candidate, one.reference) for one in cross_duplicates(reference, candidates)}
    # The chance that one of these pairs is not proposed is below 2.6e-5 each, and the hashes are always the same.
    assert found == similar


def test_the_bands_propose_almost_every_pair_at_the_threshold() -> None:
    assert (1 - THRESHOLD**BAND_HASHES) ** BANDS < 3e-5
    assert 1 - (1 - 0.1**BAND_HASHES) ** BANDS < 3e-3


def test_equal_shares_of_hashes_estimate_the_similarity() -> None:
    texts = sentences(40, seed=3)
    changed = [text[: len(text) * i // 40] + texts[i - 1][len(text) * i // 40 :] for i, text in enumerate(texts)]
    estimates = (duplicates._minhashes(texts) == duplicates._minhashes(changed)).mean(axis=1)
    truths = np.array([jaccard(*pair) for pair in zip(texts, changed, strict=True)])
    # The mean of 40 estimates from 80 hashes each: four standard errors of at most √(0.25 / 80 / 40) are 0.036.
    assert abs((estimates - truths).mean()) < 0.036
    assert np.corrcoef(estimates, truths)[0, 1] > 0.95


def test_hashes_do_not_depend_on_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = sentences(50, seed=4)
    together = duplicates._minhashes(texts)
    monkeypatch.setattr(duplicates, "CHUNK_CHARACTERS", 100)
    assert (duplicates._minhashes(texts) == together).all()
    assert (duplicates._minhashes(texts[7:8]) == together[7]).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A fine film!", "a fine  film"),
        ("“Quoted” – it’s fine…", "Quoted - it's fine..."),
        ("ﬁne Ｆilm", "fine film"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "café"),
        ("line\nbreak\u00a0here", "line break here"),
    ],
)
def test_exact_matching_ignores_the_differences_of_copies(one: str, other: str) -> None:
    assert cross_duplicates([one], [other]) == [Duplicate(0, 0, "exact", 1.0)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("good 👍", "good 👎"),
        (":)", ":("),
        ("", "x"),
        ("gate 1", "gate 11"),
        ("bad", "sad"),
        ("not good", "good"),
        ("it has a good start but a bad end", "it has a bad start but a good end"),
        ("这部电影非常好看", "这部电影非常难看"),
    ],
)
def test_short_or_different_texts_are_not_duplicates(one: str, other: str) -> None:
    assert cross_duplicates([one], [other]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "a masterful film from a master filmmaker , unique in its deceptive grimness , compelling in its worldview",
            "a masterful film from a master filmaker, unique in its deceptive grimness, compelling in its world view .",
        ),
        (
            "这部电影讲述了一个关于家庭和爱情的感人故事，演员的表演非常出色，音乐也很动听，摄影同样令人难忘，值得再看一遍",
            "这部电影讲述了一个关于家庭和爱情的感人故事，演员的表演非常出色，音乐也很动听，摄影同样令人难忘，值得再看两遍",
        ),
    ],
)
def test_near_duplicates_in_any_language(one: str, other: str) -> None:
    [found] = cross_duplicates(["something else entirely, of about this length", one], [other])
    assert (found.candidate, found.reference, found.kind) == (0, 1, "near")
    assert THRESHOLD <= found.similarity < 1


def test_many_texts_of_one_template_do_not_explode(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(one: str, other: str) -> float:
        nonlocal calls
        calls += 1
        return jaccard(one, other)

    monkeypatch.setattr(duplicates, "jaccard", counted)
    draw = random.Random(5)
    codes = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(800)]
    for template, least, most in [
        ("your parcel {} is on its way to you and will arrive between nine and ten o clock tomorrow", 400, 400),
        ("your parcel {} is on its way and will arrive tomorrow at noon", 0, 10),  # hardly two are alike enough
    ]:
        calls = 0
        texts = [template.format(code) for code in codes]
        assert least <= len(cross_duplicates(texts[:400], texts[400:])) <= most
        assert 400 < calls <= 400 * duplicates.VERIFIED


def test_a_lone_surrogate_is_accepted() -> None:
    long = "a long enough text with a broken character \ud83d at about its middle, and more"
    assert cross_duplicates([long], [f"{long} s"])[0].kind == "near"


def test_empty_lists() -> None:
    assert cross_duplicates([], ["x"]) == cross_duplicates(["x"], []) == cross_duplicates([], []) == []
