from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from bertline.lifecycle.drift.found import Change, PriorShift
from bertline.lifecycle.drift.pictures import distributions_picture, shares_picture
from bertline.statistics.intervals import Estimate


def points(picture: str, kind: str) -> list[tuple[float, float]]:
    (drawn,) = re.findall(rf'<path d="([^"]+)" class="{kind} curve">', picture)
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn)]


def test_the_curves_reach_from_edge_to_edge_and_never_fall() -> None:
    before, after = (tuple(np.linspace(low, low + 1, 41).tolist()) for low in (0.0, 2.0))
    picture = distributions_picture(Change("tokens", 0.5, 2.5, 1.0, 0.002, (before, after)), lambda one: f"{one:g}")
    reference, new = points(picture, "second"), points(picture, "first")
    assert reference[0][0] == new[0][0]
    assert reference[-1] == new[-1]
    for curve in (reference, new):
        assert all(x <= later[0] and y >= later[1] for (x, y), later in itertools.pairwise(curve))
    assert "largest gap 1.00" in picture
    assert max(x for x, y in reference if y > reference[-1][1]) < min(x for x, y in new if y < new[0][1])


def test_a_number_that_is_the_same_everywhere_has_a_picture() -> None:
    one = (3.0,) * 41
    assert "<path" in distributions_picture(
        Change("tokens", 3.0, 3.0, 0.0, 1.0, (one, one)), lambda value: f"{value:g}"
    )


def test_each_label_has_a_bar_and_a_dot() -> None:
    after = (Estimate(0.3, 0.2, 0.4), Estimate(0.7, 0.6, 0.8))
    picture = shares_picture(PriorShift(("bad", "<good>"), (0.5, 0.5), after, 0.4))
    assert picture.count("<circle") == 2
    assert "&lt;good&gt;" in picture
    bars = [float(one) for one in re.findall(r'<rect [^>]*width="([\d.]+)"', picture)]
    assert bars == pytest.approx([bars[0], bars[0]])
