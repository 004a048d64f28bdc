"""How probable each token of a text is: from the tokens before it alone, and from those on both sides.

A causal language model sees the left context alone, so its probabilities multiply to that of the whole text, and it
can generate. A masked language model sees both sides of a hidden token. That is why BERT reads both ways (Devlin et al.
2019, section 1): there is more context to understand a token from.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from bertline.encoder.masked import MaskedLanguageModel
from bertline.errors import UsageError
from bertline.text import Tokenizer

BATCH_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class TokenInContext:
    """A token of a text.

    Attributes:
        token: of the vocabulary.
        left: its probability given the tokens before it.
        left_best: the token that is the most probable given those.
        both: its probability given all other tokens.
        both_best: the token that is the most probable given those.
    """

    token: str
    left: float
    left_best: str
    both: float
    both_best: str


@dataclass(frozen=True)
class Contexts:
    """The tokens of a text in both contexts."""

    tokens: tuple[TokenInContext, ...]

    @property
    def perplexity(self) -> float:
        """Perplexity given the left context: e to the mean −ln p, which is that of the text itself."""
        return _perplexity([one.left for one in self.tokens])

    @property
    def pseudo_perplexity(self) -> float:
        """The same given both sides (Salazar et al. 2020), which is not the probability of a text."""
        return _perplexity([one.both for one in self.tokens])

    def to_json(self) -> dict[str, object]:
        """All figures by name."""
        return {
            "tokens": [asdict(one) for one in self.tokens],
            "perplexity": self.perplexity,
            "pseudo_perplexity": self.pseudo_perplexity,
        }


def contexts(causal: MaskedLanguageModel, masked: MaskedLanguageModel, tokenizer: Tokenizer, text: str) -> Contexts:
    """The probabilities of a text's tokens by both models, whose tokenizer is the same.

    Raises:
        UsageError: the text has no token, or more than one of the models has positions for.
    """
    own = tokenizer.encode_whole([text])[0].ids
    if not own:
        raise UsageError("the text has no token: give another one")
    ids = torch.tensor([tokenizer.cls_id, *own, tokenizer.sep_id])
    most = min(causal.config.max_tokens, masked.config.max_tokens)
    if len(ids) > most:
        raise UsageError(
            f"the text has {len(ids):,} tokens, [CLS] and [SEP] included, and one of the models has only {most:,} "
            "positions: shorten it"
        )
    left, both = left_probabilities(causal, ids), both_probabilities(masked, ids, tokenizer.mask_id)
    each = zip(own, left, both, strict=True)
    best = [tokenizer.tokens(one.argmax(-1).tolist()) for one in (left, both)]
    return Contexts(
        tuple(
            TokenInContext(token, float(before[id_]), left_best, float(around[id_]), both_best)
            for token, (id_, before, around), left_best, both_best in zip(
                tokenizer.tokens(own), each, *best, strict=True
            )
        )
    )


def left_probabilities(model: MaskedLanguageModel, ids: Int[Tensor, " tokens"]) -> Float64[Tensor, "own vocabulary"]:
    """What a causal model expects at each token between the first and the last one, in one pass."""
    with torch.inference_mode():
        logits: Tensor = model.eval()(ids[None], None, at=torch.arange(len(ids) - 2))
    return logits.double().softmax(-1)


def both_probabilities(
    model: MaskedLanguageModel, ids: Int[Tensor, " tokens"], mask_id: int
) -> Float64[Tensor, "own vocabulary"]:
    """What a masked model expects at each of those tokens when it alone is hidden: a row of the batch for each."""
    hidden = torch.arange(1, len(ids) - 1)
    rows = ids.repeat(len(hidden), 1)
    rows[torch.arange(len(hidden)), hidden] = mask_id
    parts = zip(*(one.split(max(1, BATCH_TOKENS // len(ids))) for one in (rows, hidden)), strict=True)
    with torch.inference_mode():
        logits = [model.eval()(some, None, at=torch.arange(len(some)) * len(ids) + place) for some, place in parts]
    return torch.cat(logits).double().softmax(-1)


def _perplexity(probabilities: list[float]) -> float:
    return math.exp(-sum(math.log(max(one, 1e-300)) for one in probabilities) / len(probabilities))
