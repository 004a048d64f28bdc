"""Integrated gradients (Sundararajan et al. 2017) of an answer over the embeddings of its tokens, in PyTorch.

The way goes from a baseline, in which every token but the special ones is [PAD], [MASK] or nothing, to the text. A
word's share is the sum over its tokens of the difference of the embeddings times the mean gradient along the way. The
mean is taken at Gauss-Legendre nodes. Shares add up to the difference of the two answers but for the error of that
rule, which is measured; nodes are doubled until it is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertline.encoder.heads import Classifier
from bertline.encoder.network import load_network
from bertline.errors import UsageError
from bertline.explanation.methods import Shares
from bertline.explanation.read import sides_of
from bertline.explanation.settings import BASELINES, Baseline
from bertline.explanation.words import Word
from bertline.tasks.contract import TaskSpec
from bertline.text import Tokenizer
from bertline.text.reading import Piece

FIRST_NODES = 16
ENOUGH = 0.01  # of the difference between the two answers
AT_ONCE = 16  # nodes in a batch


@dataclass(frozen=True, slots=True)
class Integrated:
    """What integrated gradients found.

    Attributes:
        shares: with the base, which is the mean over baselines.
        completeness_error: how far base and shares are from the value, as a part of value less base.
        passes: forward and backward passes that it took.
    """

    shares: Shares
    completeness_error: float
    passes: int


class _Path:
    """The way from one baseline to a text, through the network's embeddings."""

    def __init__(self, network: Classifier, spec: TaskSpec, piece: Piece, name: str) -> None:
        self._network, self._spec, self._place = network, spec, spec.labels.index(name)
        self._ids = torch.tensor([piece.ids])
        self._segments = None if piece.segments is None else torch.tensor([piece.segments])
        self._token = network.encoder.embeddings.token
        self.text = self._token.weight[self._ids[0]].detach()

    def score(self, embeddings: Tensor) -> Tensor:
        """The score of texts given as embeddings of their tokens, [batch, tokens, width]."""
        handle = self._token.register_forward_hook(lambda *_: embeddings)
        try:
            ids = self._ids.expand(len(embeddings), -1)
            segments = None if self._segments is None else self._segments.expand(len(embeddings), -1)
            states = self._network.encoder(ids, None, segments=segments).last
            logits = self._network.head(states, None)
        finally:
            handle.remove()
        return self._of(logits.double())

    def _of(self, logits: Tensor) -> Tensor:
        """As the task's ``explained.scores``."""
        problem = getattr(self._spec, "problem", "number")
        if self._spec.task == "rank" or problem == "number":
            return logits[:, self._place]
        scaled = logits / self._spec.temperature
        if problem == "several":
            return scaled[:, self._place]
        others = torch.cat([scaled[:, : self._place], scaled[:, self._place + 1 :]], dim=1)
        return scaled[:, self._place] - others.logsumexp(1)

    def integrated(self, baseline: Tensor, nodes: int) -> np.ndarray[Any, Any]:
        """The share of each token, by so many nodes."""
        places, weights = np.polynomial.legendre.leggauss(nodes)
        mean = torch.zeros_like(self.text, dtype=torch.float64)
        for start in range(0, nodes, AT_ONCE):
            some = torch.tensor((places[start : start + AT_ONCE] + 1) / 2, dtype=self.text.dtype)[:, None, None]
            points = (baseline + some * (self.text - baseline)).requires_grad_()
            (gradients,) = torch.autograd.grad(self.score(points).sum(), points)
            own = torch.tensor(weights[start : start + AT_ONCE] / 2)[:, None, None]
            mean += (own * gradients.double()).sum(0)
        return np.asarray((mean * (self.text - baseline).double()).sum(-1).numpy())

    def until_complete(self, baseline: Tensor, budget: int) -> tuple[np.ndarray[Any, Any], float, int]:
        """Shares of tokens, the score of the baseline, and the passes that it took.

        Nodes are doubled while the error is too large and the budget has as many more.
        """
        with torch.inference_mode():
            base, value = self.score(torch.stack([baseline, self.text])).tolist()
        nodes = min(FIRST_NODES, budget)
        shares, passes = self.integrated(baseline, nodes), nodes
        while abs(shares.sum() - (value - base)) > ENOUGH * abs(value - base) and passes + 2 * nodes <= budget:
            nodes *= 2
            shares, passes = self.integrated(baseline, nodes), passes + nodes
        return shares, base, passes


def integrated_gradients(
    directory: Path,
    spec: TaskSpec,
    tokenizer: Tokenizer,
    piece: Piece,
    words: Sequence[Word],
    name: str,
    *,
    baseline: Baseline = "mask",
    budget: int = 500,
) -> Integrated:
    """The share of each word.

    Args:
        directory: of the bundle.
        spec: of the model.
        tokenizer: the bundle's.
        piece: the text as the network reads it, with offsets.
        words: of the text; those of no token have a share of 0.
        name: the label.
        baseline: what takes the place of tokens; ``average`` is the mean over the others.
        budget: most forward and backward passes.

    Raises:
        UsageError: the network is none of texts.
        CheckpointError: it cannot be read.
    """
    network = load_network(directory).eval().requires_grad_(False)
    if not isinstance(network, Classifier) or spec.output != "logits":
        raise UsageError("integrated gradients are for classifiers and rankers: choose another method")
    path = _Path(network, spec, piece, name)
    word_of = words_of_tokens(piece, words)
    wanted = BASELINES if baseline == "average" else (baseline,)
    with torch.inference_mode():
        value = float(path.score(path.text[None])[0])
    found = [
        path.until_complete(_baseline(path.text, network, tokenizer, word_of, one), budget // len(wanted))
        for one in wanted
    ]
    tokens, base = np.mean([one[0] for one in found], axis=0), float(np.mean([one[1] for one in found]))
    shares = np.zeros(len(words))
    np.add.at(shares, word_of[word_of >= 0], tokens[word_of >= 0])
    error = abs(base + shares.sum() - value) / max(abs(value - base), 1e-12)
    return Integrated(Shares(shares, base, value), error, sum(one[2] for one in found))


def words_of_tokens(piece: Piece, words: Sequence[Word]) -> np.ndarray[Any, Any]:
    """The index of each token's word; −1 for special tokens."""
    assert piece.offsets is not None
    found = []
    for (start, end), side in zip(piece.offsets, sides_of(piece), strict=True):
        own = (at for at, word in enumerate(words) if word.side == side and word.start <= start < word.end)
        found.append(-1 if start == end else next(own, -1))
    return np.array(found)


def _baseline(
    text: Tensor, network: Classifier, tokenizer: Tokenizer, word_of: np.ndarray[Any, Any], kind: Baseline
) -> Tensor:
    """The embeddings of the baseline; special tokens keep theirs."""
    table = network.encoder.embeddings.token.weight
    row = torch.zeros_like(text[0])
    if kind != "zero":
        row = table[tokenizer.pad_id if kind == "pad" else tokenizer.mask_id]
    replaced = torch.tensor(word_of >= 0)[:, None]
    return torch.where(replaced, row, text).detach()
