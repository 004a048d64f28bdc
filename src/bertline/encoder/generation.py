"""A causal language model continues a text, token by token.

Every token costs a pass over all tokens before it, because no keys and values are kept: the n-th costs n times the
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from bertline.encoder.masked import MaskedLanguageModel
from bertline.errors import UsageError
from bertline.text import Tokenizer

Ending = Literal["end of text", "stop", "max_tokens", "positions"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: divides the logits; 0 always takes the most probable token.
        top_k: number of most probable tokens to choose from; None is all.
        seed: of the choice.
    """

    temperature: float = 0.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not np.isfinite(self.temperature):
            raise UsageError(f"temperature is {self.temperature:g}: give a number from 0 on, such as 0.8")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k is {self.top_k}: give at least 1")
        if self.top_k is not None and self.top_k > 1 and not self.temperature:
            raise UsageError(
                f"top_k is {self.top_k}, but a temperature of 0 always takes the most probable token: give a "
                "temperature too, such as 0.8"
            )
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}: give 0 or higher")

    def chosen(self, logits: Float64[Tensor, " vocabulary"], rng: np.random.Generator) -> int:
        """The id of the next token."""
        if not self.temperature:
            return int(logits.argmax())
        top, ids = logits.topk(min(self.top_k or len(logits), len(logits)))
        return int(ids[rng.choice(len(ids), p=(top / self.temperature).softmax(-1).numpy())])


GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class Generated:
    """A continuation.

    Attributes:
        text: what follows the prompt.
        ids: of its tokens; if it was cut at a stop string, the tokens up to the one that completed it.
        log_probabilities: ln p of each token, at a temperature of 1 and given all before it.
        ending: why it ends: the model ended the text, a stop string, or one of two limits.
    """

    text: str
    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    ending: Ending

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {
            "text": self.text,
            "ids": list(self.ids),
            "log_probabilities": list(self.log_probabilities),
            "ending": self.ending,
        }


def generate(
    model: MaskedLanguageModel,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    max_tokens: int = 50,
    sampling: Sampling = GREEDY,
    stop: Sequence[str] = (),
) -> Generated:
    """Continue ``prompt``.

    Args:
        model: causal.
        tokenizer: of the model.
        prompt: may be empty.
        max_tokens: most tokens to generate.
        sampling: how the next token is chosen; special tokens other than the end of the text never are.
        stop: strings that end the continuation, which is cut before the first of them.

    Raises:
        UsageError: ``max_tokens`` is below 1, or the prompt leaves no position for a token.
    """
    before = [tokenizer.cls_id, *tokenizer.encode_whole([prompt])[0].ids]
    room = model.config.max_tokens - len(before)
    if max_tokens < 1 or "" in stop:
        raise UsageError("max_tokens must be at least 1" if max_tokens < 1 else "a stop string is empty: leave it out")
    if room < 1:
        raise UsageError(
            f"the prompt has {len(before):,} tokens, [CLS] included, and the model has {model.config.max_tokens:,} "
            "positions: shorten it"
        )
    start, barred, rng = tokenizer.decode(before), _barred(tokenizer, model), np.random.default_rng(sampling.seed)
    text, ids, log_probabilities = "", list[int](), list[float]()
    while len(ids) < min(max_tokens, room):
        logits = next_logits(model, [*before, *ids]).masked_fill(barred, -torch.inf)
        chosen = sampling.chosen(logits, rng)
        if chosen == tokenizer.sep_id:
            return Generated(text, tuple(ids), tuple(log_probabilities), "end of text")
        ids.append(chosen)
        log_probabilities.append(float(logits.log_softmax(-1)[chosen]))
        text = tokenizer.decode([*before, *ids])[len(start) :]
        if ends := [place for one in stop if (place := text.find(one)) >= 0]:
            return Generated(text[: min(ends)], tuple(ids), tuple(log_probabilities), "stop")
    return Generated(
        text, tuple(ids), tuple(log_probabilities), "max_tokens" if len(ids) == max_tokens else "positions"
    )


def next_logits(model: MaskedLanguageModel, ids: Sequence[int]) -> Float64[Tensor, " vocabulary"]:
    """Logits of the token after ``ids``, which begin with [CLS]."""
    with torch.inference_mode():
        logits: Tensor = model.eval()(torch.tensor([ids]), None, at=torch.tensor([len(ids) - 1]))
    return logits[0].double()


def _barred(tokenizer: Tokenizer, model: MaskedLanguageModel) -> Bool[Tensor, " vocabulary"]:
    """Special tokens, but for the end of a text, and ids without a token."""
    barred = torch.tensor([not token for token in tokenizer.tokens(range(model.config.vocab_size))])
    barred[[tokenizer.cls_id, tokenizer.pad_id, tokenizer.unknown_id, tokenizer.mask_id]] = True
    return barred
