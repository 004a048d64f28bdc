"""The interface of a back end, which computes a network."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bertline.data.batching import Batch

HEADS = ("logits", "tags", "vocabulary", "embedding")  # the last is also beside each of the others


@runtime_checkable
class Backend(Protocol):
    """Computes batches."""

    @property
    def lanes(self) -> int:
        """Number of batches computed at a time, each by a thread that calls ``compute``."""
        ...

    @property
    def outputs(self) -> frozenset[str]:
        """The outputs that it can compute, by their names in ``encoder.outputs``."""
        ...

    def compute(
        self, batch: Batch, output: str = "logits", *, alone: bool = False
    ) -> Float[np.ndarray[Any, Any], "batch *axes"]:
        """One output for each text of the batch, without meaning on padding.

        Args:
            batch: what is computed.
            output: one of ``outputs``.
            alone: no other thread computes a batch meanwhile.
        """
        ...


def head_output(backend: Backend) -> str:
    """The output of a back end that its network's head gives."""
    return next((one for one in HEADS if one in backend.outputs), "logits")
