"""Check a back end on this machine with the logits of the bundle's probe texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.bundle import Bundle
from bertline.bundle.engine import Precision
from bertline.bundle.probes import Probes, objection, read_probes, thinned
from bertline.data.batching import lay_out
from bertline.encoder.outputs import stacked
from bertline.inference.backend import Backend
from bertline.text import Reader, Tokenizer, Truncation


class Probing:
    """The probes of a bundle, ready to be answered.

    Args:
        bundle: whose texts and truncation they are.
        tokenizer: of the bundle.
        probes: others than those that the bundle has.

    Raises:
        BundleError: the bundle's file of probes is damaged.
    """

    def __init__(self, bundle: Bundle, tokenizer: Tokenizer, probes: Probes | None = None) -> None:
        self._manifest, self._tokenizer = bundle.manifest, tokenizer
        self.probes = probes or read_probes(bundle.path)

    def objection(self, backend: Backend, network: str, precision: Precision) -> str | None:
        """Why ``backend`` must not answer for the network of this name; None if it may, or if there are no probes."""
        reference = self.probes.logits.get(network)
        if reference is None:
            return None
        return objection(reference, self.answers(backend), precision, self._manifest.temperature)

    def answers(self, backend: Backend) -> Float[np.ndarray[Any, Any], "rows labels"]:
        """The outputs of ``backend`` for the probe texts, or for each of their tokens."""
        manifest = self._manifest
        readings = Reader(self._tokenizer, Truncation(manifest.max_tokens, manifest.truncation)).read(self.probes.texts)
        batch = lay_out([piece for reading in readings for piece in reading.pieces], self._tokenizer.pad_id)
        output = self.probes.output
        rows: Float[np.ndarray[Any, Any], "rows labels"] = thinned(
            output, stacked(output, backend.compute(batch, output), readings)
        )
        return rows
