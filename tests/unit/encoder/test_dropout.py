"""Dropout by random bits: what is kept, how often, and its gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bertline.encoder.dropout import BITS, Dropout, kept_bits, masked


@pytest.mark.parametrize("dtype", BITS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_kept_numbers_are_scaled_and_the_others_are_zero(dtype: torch.dtype, rate: float) -> None:
    torch.manual_seed(3)
    numbers = torch.full((401, 500), 3.0, dtype=dtype)
    dropped = Dropout(rate)(numbers)
    kept = dropped != 0
    assert dropped.dtype == dtype
    assert torch.allclose(dropped[kept].double(), torch.tensor(3 / (1 - rate)).double(), rtol=1e-2)
    deviation = (rate * (1 - rate) / kept.numel()) ** 0.5
    assert abs(1 - kept.double().mean() - rate) < 5 * deviation
    assert torch.equal(numbers, torch.full_like(numbers, 3.0)), "the input stays as it is"


def test_neighbours_are_dropped_independently() -> None:
    """Sixteen bits of one word, or of two neighbouring words, know nothing of each other."""
    torch.manual_seed(4)
    dropped = (kept_bits(torch.ones(1_000_000), 0.25) == 0).double()
    for distance in (1, 2, 3, 4, 5, 8, 64):
        both = (dropped[:-distance] * dropped[distance:]).mean()
        assert abs(both - 1 / 16) < 5 * (1 / 16 * 15 / 16 / 1e6) ** 0.5, distance


@pytest.mark.parametrize("rate", [1e-4, 0.9999])
def test_rates_near_the_ends(rate: float) -> None:
    torch.manual_seed(5)
    share = (kept_bits(torch.ones(2_000_000), rate) == 0).double().mean()
    assert abs(share - rate) < 1 / 65_536 + 5 * (rate * (1 - rate) / 2e6) ** 0.5


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0, 4), (5, 1, 7)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    numbers = torch.ones(shape)
    assert kept_bits(numbers, 0.5).shape == shape
    assert Dropout(0.5)(numbers).shape == shape


def test_numbers_that_are_no_neighbours_in_memory() -> None:
    numbers = torch.arange(1.0, 13).view(3, 4).T
    torch.manual_seed(6)
    kept = kept_bits(numbers, 0.5)
    assert torch.equal(masked(numbers, kept), torch.where(kept == -1, numbers, 0))
    assert {*kept.unique().tolist()} == {0, -1}


def test_its_gradient_is_dropped_with_the_same_mask() -> None:
    numbers = torch.randn(40, 9, dtype=torch.float64, requires_grad=True)
    dropout = Dropout(0.3)

    def seeded(some: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(7)
        return dropout(some)

    assert torch.autograd.gradcheck(seeded, numbers)


def test_a_seed_gives_the_same_mask() -> None:
    numbers, masks = torch.ones(1000), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(Dropout(0.5)(numbers))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_outside_training_nothing_is_drawn() -> None:
    numbers = torch.randn(10)
    torch.manual_seed(8)
    before = torch.get_rng_state()
    assert torch.equal(Dropout(0.5).eval()(numbers), numbers)
    assert torch.equal(Dropout(0.0)(numbers), numbers)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(Dropout(0.5), nn.Dropout)
