"""The steps of an input through the network, each with a paragraph, its formula, and its numbers.

Every claim of a paragraph holds for the numbers beside it; tests check each of them on several models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.explanation.anatomy.found import Step
from bertline.explanation.anatomy.inside import Inside
from bertline.statistics.activation import softmax
from bertline.statistics.figures import percent
from bertline.text import Tokenizer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class View:
    """What the steps show: an input's numbers, and where to look.

    Attributes:
        texts: of the input.
        tokenizer: of the model.
        inside: the numbers.
        layer: from 0.
        head: from 0.
        token: from 0.
    """

    texts: Sequence[str]
    tokenizer: Tokenizer
    inside: Inside
    layer: int
    head: int
    token: int

    @property
    def name(self) -> str:
        """The followed token, quoted."""
        return self.quoted(self.token)

    def quoted(self, token: int) -> str:
        """A token, quoted."""
        return f"“{self.inside.tokens[token].text}”"

    def of_head(self, part: str) -> Array:
        """The head's numbers of each token, [token, width of a head]."""
        return self.inside.of_head(self.layer, part, self.head)

    @property
    def scores(self) -> Array:
        """q·k/√d of the followed token with each one."""
        query, keys = self.of_head("query")[self.token], self.of_head("key")
        scores: Array = keys @ query / np.sqrt(len(query))
        return scores

    @property
    def weights(self) -> Array:
        """What the followed token attends to, as the network computed it."""
        weights: Array = self.inside.attentions[self.layer, self.head, self.token]
        return weights


def steps(view: View) -> tuple[Step, ...]:
    """All steps up to the layer's end, in their order."""
    each: Sequence[Callable[[View], Step]] = (
        *(_characters, _tokens, _embeddings, _projections, _scores, _weights, _mixed, _both_ways),
        *(_joined, _feed_forward),
    )
    return tuple(one(view) for one in each)


def _characters(view: View) -> Step:
    characters = sum(map(len, view.texts))
    has = "The text has" if len(view.texts) == 1 else "The texts have"
    says = (
        f"{has} {characters:,} character{'s' if characters != 1 else ''}. The network sees none of them: it computes "
        "with numbers, and a tokenizer with a fixed vocabulary stands between."
    )
    return Step("characters", "Characters", says, "text → tokens → ids", {"characters": characters})


def _tokens(view: View) -> Step:
    own, prefix = view.inside.tokens, view.tokenizer.prefix
    cls, sep = view.tokenizer.tokens([view.tokenizer.cls_id, view.tokenizer.sep_id])
    how = (
        f"WordPiece takes the longest entry of its vocabulary that a word begins with, and then the longest ones for "
        f"the rest, which begin with {prefix}"
        if prefix
        else "They are pieces that the tokenizer learned from many texts"
    )
    says = (
        f"The text becomes {len(own)} tokens. {how}. {cls} stands first and {sep} last. A token's id is its row in the "
        "vocabulary."
    )
    values = {"vocabulary": view.tokenizer.vocab_size, "ids": [one.id for one in own]}
    return Step("tokens", "Tokens and ids", says, "id = row of the token in the vocabulary", values)


def _embeddings(view: View) -> Step:
    inside, token = view.inside, view.token
    word, position, segment, summed, normed = inside.embeddings[:, token]
    parts = ["a row for the token", "one for its position"]
    if inside.embeddings[2].any():
        parts.append(f"one for its segment, {inside.tokens[token].segment}")
    listed = ", ".join(parts[:-1]) + f" and {parts[-1]}"
    says = (
        f"{view.name} becomes the sum of learned rows of {len(word)} numbers: {listed}. So the same word has other "
        "numbers at another place. LayerNorm brings the sum to an even scale."
    )
    formula = f"x = LayerNorm(E[token] + P[position]{' + S[segment]' if len(parts) > 2 else ''})"
    values = {"token": word, "position": position, "segment": segment, "sum": summed, "normalised": normed}
    if not inside.embeddings[2].any():
        del values["segment"]
    if len(normed) != inside.layers.shape[-1]:
        says += f" A learned matrix widens it to {inside.layers.shape[-1]}."
        formula += "·W"
        values["state"] = inside.part(0, "input")[token]
    return Step("embeddings", "Embeddings", says, formula, values)


def _projections(view: View) -> Step:
    query, key, value = (view.of_head(one) for one in ("query", "key", "value"))
    says = (
        f"The head makes a query, a key and a value of {query.shape[1]} numbers from each token's state, each with a "
        "learned matrix. All three are projections of the same state: nobody gave a query a sentiment or a key a part "
        "of speech, and values are not put in another order."
    )
    values = {
        "state": view.inside.part(view.layer, "input")[view.token],
        "query": query[view.token],
        "key": key[view.token],
        "value": value[view.token],
        "queries": query,
        "keys": key,
        "values": value,
    }
    formula = "q = x·W_Q + b_Q,  k = x·W_K + b_K,  v = x·W_V + b_V"
    return Step("projections", "Query, key and value", says, formula, values)


def _scores(view: View) -> Step:
    scores, width = view.scores, view.of_head("query").shape[1]
    most, least = int(scores.argmax()), int(scores.argmin())
    says = (
        f"The query of {view.name} is multiplied with the key of every token, and divided by √{width}, which keeps the "
        f"scores from growing with the width. The highest is {_signed(scores[most])}, with {view.quoted(most)}, the "
        f"lowest {_signed(scores[least])}, with {view.quoted(least)}."
    )
    return Step("scores", "Scores", says, "sⱼ = q·kⱼ / √d", {"width": width, "scores": scores})


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _weights(view: View) -> Step:
    weights = view.weights
    most = int(weights.argmax())
    says = (
        f"Softmax turns the scores into weights that are positive and sum to 1. {view.quoted(most)} has the largest, "
        f"{percent(float(weights[most]))}. A weight says how much of a token's value this head mixes in; it is no "
        "reason for the answer."
    )
    return Step("weights", "Attention weights", says, "wⱼ = exp(sⱼ) / Σᵢ exp(sᵢ)", {"weights": weights})


def _mixed(view: View) -> Step:
    says = (
        f"The head's result for {view.name} is the sum of all tokens' values, each times its weight: a weighted mean. "
        "So each of its numbers lies between the least and the largest of the values' numbers at that place."
    )
    mixed = view.of_head("joined")[view.token]
    values = {"weights": view.weights, "values": view.of_head("value"), "mixed": mixed}
    return Step("mixed", "Weighted sum of the values", says, "z = Σⱼ wⱼ·vⱼ", values)


def _both_ways(view: View) -> Step:
    scores, token = view.scores, view.token
    causal = np.zeros(len(scores))
    causal[: token + 1] = softmax(scores[None, : token + 1])[0]
    after = float(view.weights[token + 1 :].sum())
    says = (
        f"The model reads both ways: {percent(after)} of the weight lies on tokens after {view.name}. A causal model, "
        "which predicts the next word, hides those. Without them, the same scores give the causal weights; a model "
        "that was trained that way has other scores."
    )
    values = {"bidirectional": view.weights, "causal": causal, "after": after}
    return Step("both_ways", "Bidirectional and causal", says, "causal: wⱼ = 0 for j > i", values)


def _joined(view: View) -> Step:
    inside, layer, token = view.inside, view.layer, view.token
    joined, hidden = inside.part(layer, "joined")[token], inside.layers.shape[-1]
    width = hidden // inside.heads
    says = (
        f"The results of the layer's {inside.heads} heads stand side by side, {inside.heads} × {width} = {hidden} "
        "numbers. A learned matrix mixes them, the token's own state is added, and LayerNorm follows. So a "
        "token's own state goes on, whatever it attends to."
    )
    values = {
        "heads": joined.reshape(inside.heads, width),
        "state": inside.part(layer, "input")[token],
        "attended": inside.part(layer, "attended")[token],
    }
    return Step("joined", "Heads joined", says, "a = LayerNorm(x + [z¹ … zᴴ]·W_O + b_O)", values)


def _feed_forward(view: View) -> Step:
    inside, layer, token = view.inside, view.layer, view.token
    inner, hidden, layers = inside.inner[layer, token], inside.layers.shape[-1], len(inside.layers)
    following = f"layer {layer + 2} reads" if layer + 1 < layers else "the head reads"
    says = (
        f"Each token then passes by itself through two learned layers, {hidden} → {len(inner)} → {hidden}; nothing is "
        f"mixed between tokens here. For {view.name}, {int((inner > 0).sum()):,} of {len(inner):,} inner numbers are "
        f"above zero. Its input is added, LayerNorm follows, and the result is the state that {following}."
    )
    values = {
        "attended": inside.part(layer, "attended")[token],
        "inner": inner,
        "output": inside.part(layer, "output")[token],
    }
    return Step("feed_forward", "Feed-forward network", says, "y = LayerNorm(a + f(a·W₁ + b₁)·W₂ + b₂)", values)
