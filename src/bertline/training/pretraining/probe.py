"""A linear probe: how much of a table's labels a linear classifier reads from the frozen encoder.

Features are means of the tokens' last states. The classifier is multinomial logistic regression on standardised
features, trained on some rows and measured on others (Alain and Bengio 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bertline.data.batching import lay_out, plan
from bertline.data.examples import Example, read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.target_kinds import OneLabel
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import mean_pool
from bertline.errors import DataError
from bertline.statistics.intervals import Estimate, wilson
from bertline.text import Piece, Reader, Tokenizer, Truncation
from bertline.training.device import to_device
from bertline.training.linear import fit_linear

BATCH_TOKENS = 4096
DECAY = 1e-2  # of the weights, on standardised features and the mean loss


@dataclass(frozen=True)
class Probe:
    """Labelled texts as tokens.

    Attributes:
        pieces: of each text.
        labels: number of each text's label.
        train: indices of the texts to train the classifier on; the others measure it.
        pad_id: of the tokenizer.
    """

    pieces: tuple[Piece, ...]
    labels: Int[Tensor, " texts"]
    train: Int[Tensor, " trained"]
    pad_id: int

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return sum(len(piece.ids) for piece in self.pieces)

    def accuracy(self, encoder: Encoder, device: torch.device) -> Estimate:
        """Accuracy on the other texts, with Wilson's interval."""
        features, own = self._features(encoder, device), self.labels[self.train]
        rest = torch.ones(len(self.labels), dtype=torch.bool)
        rest[self.train] = False
        loss = partial(functional.cross_entropy, target=own, reduction="sum")
        linear = fit_linear(features[self.train], int(self.labels.max()) + 1, loss, decay=DECAY)
        right = linear(features[rest]).argmax(-1) == self.labels[rest]
        return wilson(int(right.sum()), len(right))

    def _features(self, encoder: Encoder, device: torch.device) -> Float[Tensor, "texts hidden"]:
        encoder.eval()
        features = torch.empty(len(self.pieces), encoder.config.hidden)
        for indices in plan([len(piece.ids) for piece in self.pieces], BATCH_TOKENS):
            ids, attend, segments = to_device(lay_out([self.pieces[i] for i in indices], self.pad_id), device)
            with torch.inference_mode():
                features[indices] = mean_pool(encoder(ids, attend, segments=segments).last, attend).float().cpu()
        return features


def read_probe(
    path: Path, settings: LabelledTableSettings, tokenizer: Tokenizer, *, rows: int, max_tokens: int
) -> Probe:
    """The labelled texts of a table, at most ``rows`` of them with each label in its share.

    Raises:
        DataError: the table cannot be read, or has too few rows or labels.
    """
    examples = read_examples(str(path), settings, kind=OneLabel(lists="a probe learns one label per text")).examples
    order = np.random.default_rng(0).permutation(len(examples))[:rows]
    some = sorted((examples[i] for i in order), key=lambda example: str(example.target))
    names = sorted({str(example.target) for example in some})
    if len(names) < 2:
        raise DataError(f"{path} has one label, {names[0]}: give --probe a table with two labels or more")
    # They are sorted by label, so each label is in both halves alike.
    return probe_of(some[::2], some[1::2], tokenizer, max_tokens=max_tokens)


def probe_of(train: Sequence[Example], measured: Sequence[Example], tokenizer: Tokenizer, *, max_tokens: int) -> Probe:
    """A probe that learns from some rows with one label each and is measured on others."""
    examples = [*train, *measured]
    names = sorted({str(example.target) for example in examples})
    readings = Reader(tokenizer, Truncation(max_tokens)).read([example.input for example in examples])
    return Probe(
        tuple(reading.pieces[0] for reading in readings),
        torch.tensor([names.index(str(example.target)) for example in examples]),
        torch.arange(len(train)),
        tokenizer.pad_id,
    )
