"""What a network computes of one input, as its bundle's graph of attentions gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Float

from bertline.errors import UsageError
from bertline.tasks.contract import TaskSpec
from bertline.text import Input, Reading, Tokenizer
from bertline.text.reading import Piece, texts_of

MOST_TOKENS = 64  # of an input: the attentions of a large model are then half a million numbers

Array = np.ndarray[Any, Any]
Kind = Literal["special", "word", "piece"]
PARTS = ("input", "query", "key", "value", "joined", "attended", "output")  # of ``Inside.layers``


class Looking(Protocol):
    """A model whose inside can be seen: ``inference.TextClassifier`` with those outputs."""

    spec: TaskSpec
    tokenizer: Tokenizer
    pooling: str

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[Sequence[Reading], Sequence[Sequence[Any]]]:
        """What was read of each input, and an output of its pieces."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an input.

    Attributes:
        text: its entry in the vocabulary.
        id: its row in the table of embeddings.
        kind: ``special`` for [CLS] and [SEP], ``piece`` for one that continues a word, else ``word``.
        segment: 1 in the second text of a pair.
    """

    text: str
    id: int
    kind: Kind
    segment: int


@dataclass(frozen=True)
class Inside:
    """The numbers of one input; the axes of arrays are those of ``encoder.outputs``.

    Attributes:
        tokens: in their order.
        embeddings: of token, position and segment, their sum, and its LayerNorm, [5, token, width].
        layers: ``PARTS`` of each layer, [layer, part, token, hidden].
        attentions: [layer, head, token, token]; rows sum to 1.
        inner: activations of the feed-forward networks, [layer, token, feed_forward].
        pooled: what the last layer of a text's head reads, [hidden]; None where the head reads tokens.
        scores: its logits, [label]; None where there are none.
        cut: tokens that truncation left out.
    """

    tokens: tuple[Token, ...]
    embeddings: Float[Array, "5 token width"]
    layers: Float[Array, "layer 7 token hidden"]
    attentions: Float[Array, "layer head token token"]
    inner: Float[Array, "layer token feed_forward"]
    pooled: Float[Array, " hidden"] | None
    scores: Float[Array, " label"] | None
    cut: int

    @property
    def heads(self) -> int:
        """Of each layer."""
        return int(self.attentions.shape[1])

    def part(self, layer: int, name: str) -> Float[Array, "token hidden"]:
        """One of ``PARTS`` of a layer."""
        part: Array = self.layers[layer, PARTS.index(name)]
        return part

    def of_head(self, layer: int, name: str, head: int) -> Float[Array, "token width"]:
        """A head's own numbers in one of the parts that heads share."""
        part = self.part(layer, name)
        return part.reshape(len(part), self.heads, -1)[:, head]


def look(model: Looking, one: Input) -> Inside:
    """Compute an input, and keep what the network computes on its way.

    Raises:
        UsageError: the input has more tokens than can be shown, or none.
    """
    own = sum(len(encoded.ids) for encoded in model.tokenizer.encode_whole(list(texts_of(one))))
    if not own:
        raise UsageError("the text has no word that the model reads: give one with letters or digits")
    special = 2 if isinstance(one, str) else 2 + model.tokenizer.separators
    if own + special > MOST_TOKENS:
        raise UsageError(
            f"the text has {own + special:,} tokens and an anatomy shows {MOST_TOKENS}: give a single sentence"
        )

    def of(output: str) -> tuple[Reading, Array]:
        (reading,), (arrays,) = model.pieces([one], output)
        return reading, np.asarray(arrays[0], dtype=np.float64)

    reading, attentions = of("attentions")
    if len(reading.pieces) > 1:
        raise UsageError("the text is longer than what the model reads at a time: give a single sentence")
    text_head = model.spec.output == "logits"
    return Inside(
        tokens=_tokens(reading.pieces[0], model.tokenizer),
        embeddings=of("embeddings")[1],
        layers=of("layers")[1],
        attentions=attentions,
        inner=of("inner")[1],
        pooled=of("pooled")[1] if text_head or model.spec.output == "embedding" else None,
        scores=of("scores")[1] if text_head else None,
        cut=reading.cut,
    )


def _tokens(piece: Piece, tokenizer: Tokenizer) -> tuple[Token, ...]:
    names = tokenizer.tokens(piece.ids)
    segments = piece.segments or [0] * len(piece.ids)
    framing = {tokenizer.cls_id, tokenizer.sep_id}

    def kind(id_: int, name: str) -> Kind:
        if id_ in framing:
            return "special"
        return "piece" if tokenizer.prefix and name.startswith(tokenizer.prefix) else "word"

    each = zip(piece.ids, names, segments, strict=True)
    return tuple(Token(name, id_, kind(id_, name), segment) for id_, name, segment in each)
