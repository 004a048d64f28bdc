from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bertline.evaluation import scatter


@pytest.mark.parametrize("points", [[(1.0, 2.0)], [(3.0, 3.0), (3.0, 3.0)], [(-1e6, 2e6), (5.0, 0.001), (0.0, 0.0)]])
def test_every_text_is_a_dot_inside_the_picture(points: list[tuple[float, float]]) -> None:
    for draw in (scatter.predicted_by_true, scatter.errors_by_predicted):
        root = ElementTree.fromstring(draw(points))
        dots = list(root.iter("circle"))
        assert len(dots) == len(points)
        for dot in dots:
            assert scatter.LEFT <= float(dot.attrib["cx"]) <= scatter.RIGHT
            assert scatter.TOP <= float(dot.attrib["cy"]) <= scatter.BOTTOM


def test_an_exact_prediction_is_on_the_dashed_line() -> None:
    [dot] = ElementTree.fromstring(scatter.errors_by_predicted([(4.0, 4.0)])).iter("circle")
    rule = next(
        one
        for one in ElementTree.fromstring(scatter.errors_by_predicted([(4.0, 4.0)])).iter("line")
        if one.attrib["class"] == "diagonal"
    )
    assert dot.attrib["cy"] == rule.attrib["y1"]
