"""The clusters of an index: names, sizes, typical texts."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.similarity.clusters import clusters_of
from bertline.similarity.index import Index

from .conftest import TEXTS


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
