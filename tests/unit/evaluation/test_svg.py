from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.evaluation.svg import Plot, element, path, picture, rect, shorten, text, ticks

EVIL = '"><script>alert(1)</script>&'


def test_everything_is_escaped() -> None:
    drawn = picture(EVIL, 10, 10, text(EVIL, 1, 2), element("g", data_name=EVIL))
    assert "<script" not in drawn
    root = ElementTree.fromstring(drawn)
    assert [one.text for one in root if one.text] == [EVIL, EVIL]
    assert root[2].attrib["data-name"] == EVIL


def test_a_picture_has_a_role_and_a_title() -> None:
    root = ElementTree.fromstring(picture("What it shows", 12.5, 10))
    assert root.attrib["role"] == "img"
    assert root.attrib["viewBox"] == "0 0 12.5 10"
    assert root[0].tag == "title"
    assert root[0].text == "What it shows"


def test_scales() -> None:
    plot = Plot(10, 20, 110, 220, (0.0, 1.0), (0.5, 1.0))
    assert (plot.x(0), plot.x(0.5), plot.x(1)) == (10, 60, 110)
    assert (plot.y(0.5), plot.y(1)) == (220, 20)  # upwards


def test_a_range_without_width_is_drawn_in_the_middle() -> None:
    assert Plot(0, 0, 100, 100, (1, 1), (0, 1)).x(1) == 50


def test_paths_and_sizes() -> None:
    assert 'd="M0 1.5 L2 3"' in path([(0.0, 1.5), (2.0, 3.0)], "curve")
    assert 'width="0"' in rect(0, 0, -3, 1, "bar")


@given(st.floats(-100, 100), st.floats(1e-3, 200))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 10
    assert all(low - 1e-6 * span <= tick <= low + span + 1e-6 * span for tick in found)
    assert found == sorted(set(found))


@pytest.mark.parametrize(("name", "short"), [("money", "money"), ("acquisition", "acqui…"), ("a", "a")])
def test_names_are_shortened(name: str, short: str) -> None:
    assert shorten(name, 6) == short
