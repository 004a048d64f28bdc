"""Names of clusters: words by which their texts differ."""

from __future__ import annotations

from bertline.similarity.cluster_names import name_clusters


def test_a_word_that_is_everywhere_names_no_cluster() -> None:
    texts = ["the ship sailed", "the ship sank", "the bank failed", "the bank lent", "the bank 2007"]
    assert name_clusters(texts, [0, 0, 1, 1, 1], 2) == [("ship",), ("bank",)]


def test_names_differ_and_a_single_cluster_has_its_frequent_words() -> None:
    twice = ["red blue green grey", "red blue green pink"] * 2
    named = name_clusters([*twice, "one", "two"], [0, 1, 0, 1, 2, 2], 3)
    assert named == [("grey", "blue", "green"), ("pink", "blue", "green"), ()]
    assert name_clusters(["a red car", "a red sea"], [0, 0], 1) == [("red",)]
