from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bertline.training.schedule import rate_factor


@given(st.integers(1, 500), st.floats(0, 0.9))
def test_the_rate_rises_to_its_highest_then_falls_and_is_never_zero(steps: int, warmup: float) -> None:
    factors = [rate_factor(step, steps, warmup) for step in range(steps)]
    top = factors.index(max(factors))
    assert all(0 < one <= 1 for one in factors)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_without_warm_up_the_first_step_has_the_whole_rate() -> None:
    assert rate_factor(0, 10, 0.0) == 1.0
