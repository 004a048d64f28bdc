"""Which tokens of a batch are to be predicted, from which position, and what the encoder sees in their place.

Sources: Devlin et al. 2019, section 3.1 (80 % [MASK], 10 % a random token, 10 % unchanged); Liu et al. 2019 (drawn anew
for every pass); Wettig et al. 2023 (larger shares, and [MASK] alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from bertline.text import Tokenizer
from bertline.training.pretraining.sequences import Ids

MASKED, RANDOM = 0.8, 0.1  # shares of the tokens to predict; the others stay

Array = np.ndarray[Any, Any]
Positions = Int[Array, " masked"]


@dataclass(frozen=True)
class Masked:
    """A batch with tokens to predict.

    Attributes:
        ids: what the encoder sees.
        at: positions in the flattened batch whose states predict, rising.
        truth: the id that each is to predict.
    """

    ids: Ids
    at: Positions
    truth: Positions

    def rows(self, rows: Sequence[int]) -> Masked:
        """Some rows of the batch, which rise."""
        row, column = np.divmod(self.at, self.ids.shape[1])
        chosen = np.isin(row, rows)
        at = np.searchsorted(rows, row[chosen]) * self.ids.shape[1] + column[chosen]
        return Masked(self.ids[list(rows)], at, self.truth[chosen])


@dataclass(frozen=True)
class Masking:
    """How tokens to predict are chosen and replaced.

    Attributes:
        share: of the tokens that are not special.
        mask_id: id of [MASK].
        special: ids that are never chosen: [CLS], [SEP], [PAD], [UNK], [MASK], and ids without a token.
        continues: ids that continue a word; None if tokens are chosen on their own.
        mask_only: replace all by [MASK].
    """

    share: float
    mask_id: int
    special: Bool[Array, " vocabulary"]
    continues: Bool[Array, " vocabulary"] | None = None
    mask_only: bool = False

    def masked(self, ids: Ids, rng: np.random.Generator) -> Masked:
        """``ids`` with ``share`` of the tokens hidden: the nearest number of tokens, or as many whole words as fit."""
        flat = ids.ravel()
        usable = np.flatnonzero(~self.special[flat])
        at = usable[self._chosen(flat[usable], np.diff(usable, prepend=-2) > 1, rng)]
        shown = flat.copy()
        shown[at] = self._instead(flat[at], rng)
        return Masked(shown.reshape(ids.shape), at, flat[at])

    def _chosen(self, ids: Array, apart: Array, rng: np.random.Generator) -> Bool[Array, " usable"]:
        """Words in random order until ``share`` of the tokens is reached; ``apart``: what is before is special."""
        begins = apart | ~self.continues[ids] if self.continues is not None else np.ones(len(ids), dtype=bool)
        word = begins.cumsum() - 1
        tokens = np.bincount(word)
        order = rng.permutation(len(tokens))
        taken = np.zeros(len(tokens), dtype=bool)
        taken[order[tokens[order].cumsum() <= max(1, round(self.share * len(ids)))]] = True
        chosen: Bool[Array, " usable"] = taken[word]
        return chosen

    def _instead(self, truth: Positions, rng: np.random.Generator) -> Positions:
        if self.mask_only:
            return np.full_like(truth, self.mask_id)
        drawn, others = rng.random(len(truth)), rng.choice(np.flatnonzero(~self.special), len(truth))
        return np.where(drawn < MASKED, self.mask_id, np.where(drawn < MASKED + RANDOM, others, truth))


@dataclass(frozen=True)
class NextTokens:
    """Every token predicts the next one, and nothing is hidden: a causal mask does that (Radford et al. 2018)."""

    share: float = 1.0

    def masked(self, ids: Ids, rng: np.random.Generator) -> Masked:
        """All positions but the last of each sequence, with the token after each."""
        at = np.arange(ids.size).reshape(ids.shape)[:, :-1]
        return Masked(ids, at.ravel(), ids[:, 1:].ravel())


Objective = Masking | NextTokens


def masking_of(tokenizer: Tokenizer, share: float, *, whole_words: bool = False, mask_only: bool = False) -> Masking:
    """The masking for a tokenizer's ids."""
    tokens = tokenizer.tokens(range(tokenizer.vocab_size))
    special = np.array([not one for one in tokens])
    special[[tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.unknown_id, tokenizer.mask_id]] = True
    continues = np.array([one.startswith("##") for one in tokens]) if whole_words else None
    return Masking(share, tokenizer.mask_id, special, continues, mask_only)
