"""The sum of the ranks' gradients, bucket by bucket while the backward pass still computes those of earlier layers.

A loss is summed over items and divided by a number that all ranks share, so the sum over the ranks is the gradient of
the whole batch. torch's ``DistributedDataParallel`` is not used for three reasons: losses here call parts of a model,
not only its ``forward``; a rank without rows in a step has no backward pass; and NCCL cannot sum sparse gradients,
which the table of token embeddings has. Of the table, the rows that any rank touched are summed as a dense matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from bertline.training.parallel.ranks import Ranks

BUCKET_BYTES = 25 << 20  # as in DistributedDataParallel


@runtime_checkable
class Gradients(Protocol):
    """Of one model, over many steps."""

    def last(self, last: bool) -> None:
        """Say before each backward pass whether it is the last one of the step in this rank."""
        ...

    def finish(self) -> None:
        """After the backward passes of a step: ``grad`` of every parameter becomes the sum over the ranks."""
        ...

    def close(self) -> None:
        """Leave the model as it was."""
        ...


class OwnGradients:
    """Those of a run in one process, which need no sum."""

    def last(self, last: bool) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def gradients_of(model: nn.Module, ranks: Ranks) -> Gradients:
    """What sums the gradients of ``model`` over the ranks; call it once its embeddings are sparse or not."""
    return OwnGradients() if ranks.world == 1 else SummedGradients(model, ranks)


class _Bucket:
    """Parameters whose gradients travel together.

    Attributes:
        parameters: that share the buffer.
        missing: how many of them have no gradient of this step yet.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        sizes = [one.numel() for one in parameters]
        self.parameters, self.missing = parameters, len(parameters)
        self._flat = parameters[0].detach().new_zeros(sum(sizes))
        parts = zip(self._flat.split(sizes), parameters, strict=True)
        self._parts = [part.view_as(one) for part, one in parts]
        self._wait: Callable[[], object] | None = None

    def begin(self, ranks: Ranks) -> None:
        """Begin to sum; a parameter without a gradient counts as 0."""
        for parameter, part in zip(self.parameters, self._parts, strict=True):
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad)
        self._wait = ranks.add_up(self._flat, wait=False)

    def end(self, used: Sequence[bool]) -> None:
        """Hand out the sums to the parameters that are ``used``; the optimizer leaves the others alone."""
        assert self._wait is not None
        self._wait()
        for parameter, part, wanted in zip(self.parameters, self._parts, used, strict=True):
            parameter.grad = part if wanted else None
        self.missing, self._wait = len(self.parameters), None


class SummedGradients:
    """Gradients summed over the ranks.

    Buckets begin in the same order in every rank, the last layer's first, because collectives are matched by order.

    Args:
        model: to train; parameters that are frozen now stay so.
        ranks: to sum over.
        bucket_bytes: size from which on a bucket is full.
    """

    def __init__(self, model: nn.Module, ranks: Ranks, bucket_bytes: int = BUCKET_BYTES) -> None:
        tables = {one.weight for one in model.modules() if isinstance(one, nn.Embedding) and one.sparse}
        trained = [one for one in model.parameters() if one.requires_grad]
        self._ranks, self._last, self._begun = ranks, False, 0
        self._sparse = [one for one in trained if one in tables]
        self._buckets = _filled([one for one in reversed(trained) if one not in tables], bucket_bytes)
        self._handles = [
            parameter.register_post_accumulate_grad_hook(self._hook(bucket))
            for bucket in self._buckets
            for parameter in bucket.parameters
        ]

    def last(self, last: bool) -> None:
        """Buckets begin in the last backward pass; before it, gradients are still accumulated."""
        self._last = last

    def finish(self) -> None:
        """Begin what has not begun, find which parameters and rows any rank touched, and wait for all."""
        own = [[one.grad is not None for one in bucket.parameters] for bucket in self._buckets]
        while self._begun < len(self._buckets):
            self._begin()
        used, rows = self._touched([flag for flags in own for flag in flags])
        for bucket, flags in zip(self._buckets, own, strict=True):
            bucket.end(used[: len(flags)])
            used = used[len(flags) :]
        for table, touched in zip(self._sparse, rows, strict=True):
            self._sum_rows(table, touched)
        self._begun, self._last = 0, False

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, bucket: _Bucket) -> Callable[[Tensor], None]:
        def ready(_: Tensor) -> None:
            if not self._last:
                return
            bucket.missing -= 1
            while self._begun < len(self._buckets) and self._buckets[self._begun].missing == 0:
                self._begin()

        return ready

    def _begin(self) -> None:
        self._buckets[self._begun].begin(self._ranks)
        self._begun += 1

    def _touched(self, own: Sequence[bool]) -> tuple[list[bool], list[Tensor]]:
        """Which dense parameters have a gradient in any rank, and which rows of each table."""
        device = (self._sparse or self._buckets[0].parameters)[0].device
        flags = [torch.tensor(own, dtype=torch.float32, device=device)]
        for table in self._sparse:
            rows = torch.zeros(len(table), device=device)
            if table.grad is not None:
                table.grad = table.grad.coalesce()
                rows[table.grad.indices()[0]] = 1.0
            flags.append(rows)
        together = torch.cat(flags)
        self._ranks.add_up(together)
        used, *rows_of = together.split([len(one) for one in flags])
        return (used > 0).tolist(), [one.nonzero()[:, 0] for one in rows_of]

    def _sum_rows(self, table: nn.Parameter, rows: Tensor) -> None:
        """The sparse gradient of ``rows``, which some rank touched."""
        values = table.detach().new_zeros(len(rows), *table.shape[1:])
        if table.grad is not None:
            values[torch.searchsorted(rows, table.grad.indices()[0])] = table.grad.values()
        self._ranks.add_up(values)
        summed = torch.sparse_coo_tensor(rows[None], values, table.shape, is_coalesced=True, check_invariants=False)
        table.grad = summed if len(rows) else None


def _filled(parameters: Sequence[nn.Parameter], bucket_bytes: int) -> list[_Bucket]:
    """Parameters in their order, ``bucket_bytes`` of them or little more to a bucket."""
    buckets: list[list[nn.Parameter]] = []
    size = bucket_bytes
    for one in parameters:
        if size >= bucket_bytes:
            buckets.append([])
            size = 0
        buckets[-1].append(one)
        size += one.numel() * one.element_size()
    return [_Bucket(some) for some in buckets]
