"""What an index says: nearest texts, clusters, duplicates."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.similarity.cluster_names import name_clusters
from bertline.similarity.clusters import clusters_of
from bertline.similarity.duplicates import duplicates_of
from bertline.similarity.index import Index
from bertline.similarity.nearest import neighbours_of

from .conftest import TEXTS


def test_the_nearest_text_of_a_text_is_itself_with_its_line_and_columns(index: Index) -> None:
    near = neighbours_of(index, index.vectors[[62, 60]], 2)
    assert [(one.similarity, one.line, one.text) for one in near[1]] == [(1.0, 62, "a film"), (1.0, 63, "a film")]
    assert near[0][0].values == {"id": "062", "text": "it is so"}
    assert near[0][1].similarity < 1


def test_clusters_have_names_sizes_and_typical_texts(index: Index) -> None:
    found = clusters_of(index, 3)
    assert [one.number for one in found.clusters] == [1, 2, 3]
    assert sum(one.rows for one in found.clusters) == len(TEXTS) == len(found.rows)
    for one in found.clusters:
        own = [similarity for number, similarity in found.rows if number == one.number]
        assert (one.rows, one.share) == (len(own), len(own) / len(TEXTS))
        assert one.similarity == pytest.approx(np.mean(own), abs=1e-5)
        assert found.rows[one.lines[0] - 2] == (one.number, max(own))
        assert one.typical[0] == TEXTS[one.lines[0] - 2]
        assert one.name
    assert found.to_json()["clusters"][0]["rows"] == found.clusters[0].rows
    assert (found.silhouette, found.tried) == (pytest.approx(found.to_json()["silhouette"]), {})


def test_the_number_of_clusters_is_chosen_if_none_is_given(index: Index) -> None:
    done = list[int]()
    found = clusters_of(index, notify=lambda what, number, of: done.append(number))
    assert len(found.clusters) == max(found.tried, key=lambda one: found.tried[one])
    assert done == [*range(1, len(found.tried) + 1)]
    assert [*found.to_json()["tried"]] == [str(one) for one in found.tried]


def test_a_word_that_is_everywhere_names_no_cluster() -> None:
    texts = ["the ship sailed", "the ship sank", "the bank failed", "the bank lent", "the bank 2007"]
    assert name_clusters(texts, [0, 0, 1, 1, 1], 2) == [("ship",), ("bank",)]


def test_names_differ_and_a_single_cluster_has_its_frequent_words() -> None:
    twice = ["red blue green grey", "red blue green pink"] * 2
    named = name_clusters([*twice, "one", "two"], [0, 1, 0, 1, 2, 2], 3)
    assert named == [("grey", "blue", "green"), ("pink", "blue", "green"), ()]
    assert name_clusters(["a red car", "a red sea"], [0, 0], 1) == [("red",)]


def test_duplicates_are_groups_with_their_lines(index: Index) -> None:
    found = duplicates_of(index, 1.0)
    (group,) = found.groups
    assert [(one.line, one.text, one.nearest_line, one.similarity) for one in group] == [
        (62, "a film", 63, 1.0),
        (63, "a film", 62, 1.0),
    ]
    assert found.rows[60] == (1, group[0])
    assert [row for row, one in enumerate(found.rows) if one] == [60, 61]
    assert found.repeated == {61}
    assert found.to_json() == {
        "pairs": 1,
        "repeated_rows": 1,
        "groups": [
            [
                {"line": 62, "text": "a film", "nearest_line": 63, "similarity": 1.0},
                {"line": 63, "text": "a film", "nearest_line": 62, "similarity": 1.0},
            ]
        ],
    }


@pytest.mark.parametrize("threshold", [0, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(index: Index, threshold: float) -> None:
    with pytest.raises(UsageError, match=r"^threshold is .*: give a cosine above 0 and at most 1, such as 0\.9$"):
        duplicates_of(index, threshold)
