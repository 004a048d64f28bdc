"""Times between those that were measured."""

from __future__ import annotations

import pytest

from bertline.deploy.capacity.service_times import Knot, ServiceTimes


def times(cores: int = 2) -> ServiceTimes:
    knots = [Knot(tokens=t, rows=r, one_s=t * r, full_s=2 * t * r, alone_s=t * r / 2) for t in (10, 20) for r in (1, 4)]
    return ServiceTimes(engine="int8", cores=cores, batch_tokens=80, knots=tuple(knots))


@pytest.mark.parametrize(
    ("rows", "tokens", "seconds"),
    [(1, 10, 10), (4, 20, 80), (2, 10, 20), (1, 15, 15), (3, 15, 45), (1, 4, 10), (1, 40, 40), (8, 10, 80)],
)
def test_between_and_beyond_the_knots(rows: int, tokens: int, seconds: float) -> None:
    assert times().seconds(rows, tokens, 0.0) == pytest.approx(seconds)


def test_busy_neighbours_slow_a_batch() -> None:
    assert times().seconds(1, 10, 0.5) == pytest.approx(15)
    assert times().seconds(1, 10, 1.0) == pytest.approx(20)


def test_a_batch_alone_takes_all_cores_where_that_is_faster() -> None:
    assert times(cores=2).alone(1, 10) == (5.0, 2)
    assert times(cores=1).alone(1, 10) == (10.0, 1)


def test_json_gives_the_same_times_back() -> None:
    assert ServiceTimes.model_validate_json(times().model_dump_json()) == times()
