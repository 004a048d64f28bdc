"""The sum of the ranks' gradients is the gradient of the whole batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bertline.training.parallel.gradients import SummedGradients, gradients_of
from bertline.training.parallel.ranks import ALONE, Ranks
from tests.ranks import together

ROWS = 5


class Network(nn.Module):
    """A table with sparse gradients, layers, one layer that is not used, and a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(20, 8, sparse=True)
        self.layers = nn.Sequential(*(nn.Linear(8, 8) for _ in range(4)))
        self.unused, self.frozen = nn.Linear(8, 8), nn.Linear(8, 8).requires_grad_(False)
        self.out = nn.Linear(8, 1)

    def loss(self, ids: Tensor) -> Tensor:
        return self.out(self.frozen(self.layers(self.table(ids).mean(1))).tanh()).square().sum()


def gradients(ranks: Ranks, rows: int, bucket_bytes: int, parts: int = 1) -> dict[str, Tensor | None]:
    """Of a batch of random rows of which each rank has its own, in ``parts`` backward passes."""
    network = Network()
    sums = SummedGradients(network, ranks, bucket_bytes) if ranks.world > 1 else gradients_of(network, ranks)
    ids = torch.randint(0, 20, (2, rows, 3), generator=torch.Generator().manual_seed(rows))
    for step in ids:  # the second step begins with what the first one left
        network.zero_grad(set_to_none=True)
        own = [*ranks.own([*range(rows)])]
        batches = [some for some in (own[part::parts] for part in range(parts)) if some]
        for number, some in enumerate(batches, start=1):
            sums.last(number == len(batches))
            network.loss(step[some]).backward()
        sums.finish()
    sums.close()
    found = {name: one.grad for name, one in network.named_parameters()}
    return {name: one.coalesce() if one is not None and one.is_sparse else one for name, one in found.items()}


@pytest.mark.parametrize(("world", "rows", "bucket_bytes", "parts"), [(2, 5, 1, 1), (3, 2, 400, 1), (2, 6, 1 << 20, 2)])
def test_the_sum_is_the_gradient_of_the_whole_batch(
    tmp_path: Path, world: int, rows: int, bucket_bytes: int, parts: int
) -> None:
    """Every bucket for itself; a rank without rows; a few accumulated backward passes."""
    whole = gradients(ALONE, rows, bucket_bytes)
    results = together(gradients, world, tmp_path, rows, bucket_bytes, parts)
    for result in results:
        assert {name for name, one in result.items() if one is None} == {
            "unused.weight", "unused.bias", "frozen.weight", "frozen.bias",
        }  # fmt: skip
        for name, one in whole.items():
            if one is not None and one.is_sparse:
                assert torch.equal(result[name].indices(), one.indices())
                torch.testing.assert_close(result[name].values(), one.values(), rtol=1e-5, atol=1e-7)
            elif one is not None:
                torch.testing.assert_close(result[name], one, rtol=1e-5, atol=1e-7)
                assert torch.equal(result[name], results[0][name])
