"""What computes a network, whatever it runs on."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bertline.data.batching import Batch


@runtime_checkable
class Backend(Protocol):
    """Computes batches on whatever it runs on."""

    @property
    def lanes(self) -> int:
        """How many batches it computes at a time: so many threads may call ``compute`` at once."""
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
    return "tags" if "tags" in backend.outputs else "logits"
