from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bertline.export.network import Network
from bertline.optimization.candidates import SENSITIVITY_ROWS, EncodedRows
from bertline.optimization.estimate import Extent, Pieces, measure_pieces
from bertline.testing.tiny import random_texts, tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation

CLASSIFIER = tiny_classifier(family="bert", labels=3, pooling="cls")
READINGS = Reader(tiny_tokenizer(), Truncation(32)).read(random_texts(24, seed=3))
NOTHING = Pieces(0.0, 0.0, {"fp32": 0.0, "int8": 0.0}, {"fp32": 0.0, "int8": 0.0}, 0.0, products=0)
EXTENT = Extent(tuning=1000, read=3000, timed=512, repetitions=5)


def test_every_kind_of_work_counts_as_often_as_it_is_done() -> None:
    """Ranges, a fp32 engine, and three in eight bits: int8, int8-mixed, small."""
    assert NOTHING.network(EXTENT) == 0
    assert replace(NOTHING, build=1.0).network(EXTENT) == 1 + 4
    assert replace(NOTHING, observed_row=1.0).network(EXTENT) == 1000
    assert replace(NOTHING, start=1.0).network(EXTENT) == 3 * 4
    bulk = 3000 + 64 + 5 * 512  # what is read once, the first rows to warm up, the repetitions
    assert replace(NOTHING, row={"fp32": 1.0, "int8": 0.0}).network(EXTENT) == bulk
    assert replace(NOTHING, row={"fp32": 0.0, "int8": 1.0}).network(EXTENT) == 3 * bulk
    assert replace(NOTHING, alone={"fp32": 1.0, "int8": 10.0}).network(EXTENT) == 5 * 64 * (1 + 3 * 10)


@pytest.mark.parametrize("tuning", [1000, 100])
def test_the_plan_includes_every_products_sensitivity(tuning: int) -> None:
    extent = replace(EXTENT, tuning=tuning)
    none = replace(NOTHING, build=0.5, row={"fp32": 0.01, "int8": 0.0})
    every = replace(none, products=23)
    one = 0.5 + 0.01 * min(SENSITIVITY_ROWS, tuning)
    assert every.network(extent) - none.network(extent) == pytest.approx(23 * one)


@pytest.mark.usefixtures("no_cold_starts")
def test_the_pieces_are_measured_on_the_network_itself(tmp_path: Path) -> None:
    rows = EncodedRows(READINGS, (), 0)
    found = measure_pieces(Network.of(CLASSIFIER), rows, tmp_path, tmp_path, lanes=1)
    assert found.products == 4 * CLASSIFIER.config.layers - 1  # the last layer's attention reads [CLS] alone
    assert found.start == 0.25
    for seconds in (found.build, *found.row.values(), *found.alone.values()):
        assert 0 < seconds < 10
