"""A network's output for rows, batch by batch and without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bertline.encoder.network import TextNetwork
from bertline.encoder.outputs import rows as cut
from bertline.training.device import to_device
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.rows import Rows

SCORING_TOKENS = 4096


def score(
    classifier: TextNetwork, rows: Rows, device: torch.device, ranks: Ranks = ALONE
) -> list[np.ndarray[Any, Any]]:
    """The network's output for every row in its order: [label], [token, label] or [hidden].

    Each of the ranks computes a part of the batches, and all get all outputs.
    """
    out: list[np.ndarray[Any, Any]] = [np.empty(0)] * len(rows)
    for part in ranks.gather([*scored(classifier, rows, device, ranks)]):
        for i, one in part:
            out[i] = one
    return out


def scored(
    classifier: TextNetwork, rows: Rows, device: torch.device, ranks: Ranks = ALONE
) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Every row's index and the network's output for it, batch by batch, the longest first; of the ranks' own."""
    was_training = classifier.training
    classifier.eval()
    for indices, batch in rows.batches(SCORING_TOKENS, ranks):
        with torch.inference_mode():
            computed = classifier(*to_device(batch, device, reads_attend=False)).float().cpu().numpy()
        yield from zip(indices, cut(classifier.output, computed, [rows.pieces[i] for i in indices]), strict=True)
    classifier.train(was_training)
