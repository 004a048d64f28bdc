"""From an input to its anatomy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertline.errors import UsageError
from bertline.explanation.anatomy.found import Anatomy
from bertline.explanation.anatomy.head import head_steps
from bertline.explanation.anatomy.inside import Inside, Looking, look
from bertline.explanation.anatomy.parts import Parts, parts
from bertline.explanation.anatomy.settings import AnatomySettings
from bertline.explanation.anatomy.steps import View, steps
from bertline.explanation.words import words_of
from bertline.tasks import task
from bertline.text import Input
from bertline.text.reading import texts_of


def anatomy(model: Looking, one: Input, settings: AnatomySettings) -> Anatomy:
    """One input on its way through the network.

    Args:
        model: computes it, its inside included.
        one: the input.
        settings: where to look.

    Raises:
        UsageError: the input is empty or too long, or has no such layer, head or token.
    """
    inside = look(model, one)
    token = _place(inside, settings)
    spec = model.spec
    readings, arrays = model.pieces([one], spec.output)
    (answer,) = task(spec.task).answer.answers(spec, arrays, readings)
    view = View(texts_of(one), model.tokenizer, inside, settings.layer, settings.head, token)
    return Anatomy(
        tokens=inside.tokens,
        layer=settings.layer,
        head=settings.head,
        token=token,
        steps=(*steps(view), *head_steps(inside, spec, model.pooling)),
        attentions=inside.attentions,
        parts=None if settings.skip_parts else _parts(model, one, settings.window, answer),
        answer=answer.to_json(),
        cut_tokens=inside.cut,
    )


def _place(inside: Inside, settings: AnatomySettings) -> int:
    """The token to follow."""
    first = next((i for i, one in enumerate(inside.tokens) if one.kind != "special"), 0)
    token = first if settings.token is None else settings.token
    layers, heads = inside.attentions.shape[:2]
    sizes = {"layer": (settings.layer, layers), "head": (settings.head, heads), "token": (token, len(inside.tokens))}
    for name, (given, size) in sizes.items():
        if given >= size:
            raise UsageError(f"there is no {name} {given}: choose one from 0 to {size - 1}")
    return token


def _parts(model: Looking, one: Input, window: int, answer: Any) -> Parts | None:
    """Words and windows by themselves, of a single text with an answer of its own."""
    spec = model.spec
    if not isinstance(one, str) or spec.output != "logits":
        return None
    seam = task(spec.task).explained
    label, words = seam.names(spec, answer)[0], words_of(one, model.tokenizer)

    def shown(texts: Sequence[str], names: Sequence[str]) -> np.ndarray[Any, Any]:
        arrays = model.pieces(texts, spec.output)[1]
        scores = np.column_stack([seam.scores(spec, arrays, name) for name in names])
        return np.array([[seam.shown(spec, float(score)) for score in row] for row in scores])

    spans = model.tokenizer.spans(one)
    pieces = [tuple(at.token for at in spans if at.end > word.start and at.start < word.end) for word in words]
    return parts(one, words, window, label, spec.labels, shown, pieces)
