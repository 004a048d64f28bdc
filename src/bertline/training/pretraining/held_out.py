"""How well a language model predicts the tokens of held-out texts, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional

from bertline.data.batching import Batch
from bertline.encoder.masked import MaskedLanguageModel
from bertline.statistics.intervals import Estimate, bounded_percentile, percentile, resampled_sums
from bertline.training.device import to_device
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.pretraining.masking import Objective
from bertline.training.pretraining.sequences import Sequences

SHARE = 0.15  # of the tokens, all replaced by [MASK]: figures are comparable whatever a run trains with
SEED = 15
BATCH_TOKENS = 4096

Sums = Float[np.ndarray[Any, Any], "sequences 3"]  # loss, tokens predicted right, tokens to predict


@dataclass(frozen=True)
class HeldOut:
    """Figures of the held-out texts.

    Attributes:
        loss: mean −ln p of a token to predict, in nats.
        perplexity: exp(loss): how many tokens the model hesitates between.
        accuracy: share of the tokens that the model holds to be the most probable.
        sequences: number of sequences; the intervals are of their bootstrap.
        tokens: number of tokens to predict.
        causal: whether they were predicted from the earlier tokens alone, and not hidden among all others.
    """

    loss: Estimate
    perplexity: Estimate
    accuracy: Estimate
    sequences: int
    tokens: int
    causal: bool

    def headline(self) -> list[tuple[str, Estimate]]:
        """Perplexity and accuracy by name."""
        return list(zip(figure_names(causal=self.causal), (self.perplexity, self.accuracy), strict=True))

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        loss, tokens = ("loss", "tokens") if self.causal else ("masked_loss", "masked_tokens")
        figures = {name: estimate.to_json() for name, estimate in [(loss, self.loss), *self.headline()]}
        return {**figures, "sequences": self.sequences, tokens: self.tokens}


def figure_names(*, causal: bool) -> tuple[str, str]:
    """Names of the perplexity and the accuracy."""
    return ("perplexity", "next_token_accuracy") if causal else ("pseudo_perplexity", "masked_accuracy")


def sums_of(
    model: MaskedLanguageModel,
    sequences: Sequences,
    masking: Objective,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> Sums:
    """Loss, right tokens and tokens to predict of each sequence; the same tokens are hidden at every call."""
    model.eval()
    rows, parts = max(1, BATCH_TOKENS // sequences.length), dict[int, Sums]()
    for start in ranks.own(range(0, len(sequences), rows)):
        ids = sequences.at(np.arange(start, min(start + rows, len(sequences))))
        masked = masking.masked(ids, np.random.default_rng((SEED, start)))
        inputs = to_device(Batch(masked.ids, np.ones(ids.shape, dtype=bool)), device, reads_attend=False)
        with torch.inference_mode():
            logits = model(*inputs, at=torch.from_numpy(masked.at).to(device)).float()
            truth = torch.from_numpy(masked.truth).to(device)
            losses = functional.cross_entropy(logits, truth, reduction="none").cpu().numpy()
            right = (logits.argmax(-1) == truth).cpu().numpy()
        row = masked.at // sequences.length
        each = (np.bincount(row, weights, len(ids)) for weights in (losses, right, np.ones(len(row))))
        parts[start] = np.stack([*each], axis=1)
    everyones = {start: sums for some in ranks.gather(parts) for start, sums in some.items()}
    return np.concatenate([everyones[start] for start in sorted(everyones)])


def held_out_of(sums: Sums, *, causal: bool = False, seed: int = 0) -> HeldOut:
    """The figures of ``sums_of`` with 95 % intervals."""
    losses, right, tokens = sums.sum(0)
    resampled = resampled_sums(sums, seed=seed)
    loss = percentile(float(losses / tokens), resampled[:, 0] / resampled[:, 2])
    return HeldOut(
        loss,
        Estimate(*(float(np.exp(end)) for end in (loss.value, loss.low, loss.high))),
        bounded_percentile(float(right / tokens), resampled[:, 1] / resampled[:, 2], len(sums)),
        len(sums),
        int(tokens),
        causal,
    )
