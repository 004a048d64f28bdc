"""The nearest texts of an index."""

from __future__ import annotations

from bertline.similarity.index import Index
from bertline.similarity.nearest import neighbours_of


def test_the_nearest_text_of_a_text_is_itself_with_its_line_and_columns(index: Index) -> None:
    near = neighbours_of(index, index.vectors[[62, 60]], 2)
    assert [(one.similarity, one.line, one.text) for one in near[1]] == [(1.0, 62, "a film"), (1.0, 63, "a film")]
    assert near[0][0].values == {"id": "062", "text": "it is so"}
    assert near[0][1].similarity < 1
